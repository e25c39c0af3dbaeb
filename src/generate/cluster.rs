//! Audit records of a Kubernetes cluster's API server, as AKS sends them.

use super::activity::ticks;
use super::object::Object;
use super::people::Person;
use super::random::Random;
use crate::time::Millis;

/// A call of the API server.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What is done.
    pub verb: &'static str,
    /// The kind of what it is done to.
    pub resource: &'static str,
    /// A part of that, such as `exec`; empty: none.
    pub subresource: &'static str,
    /// How it was answered.
    pub status: &'static str,
    /// What was sent, JSON; empty: nothing.
    pub request: &'static str,
}

/// The record of a call that a person made of the one cluster in his subscription.
pub fn record(random: &mut Random, person: &Person, time: Millis, call: &Call) -> String {
    let at = ticks(random, time);
    let mut object = Object::with_room(200)
        .text("resource", call.resource)
        .text("namespace", "shop")
        .text("name", &format!("web-{:05}", random.below(400)))
        .text("apiVersion", "v1");
    if !call.subresource.is_empty() {
        object = object.text("subresource", call.subresource);
    }
    let user = Object::with_room(200)
        .text("username", &person.name)
        .json("groups", r#"["system:authenticated"]"#)
        .end();
    let mut log = Object::with_room(1200)
        .text("kind", "Event")
        .text("apiVersion", "audit.k8s.io/v1")
        .text("level", "Request")
        .text("auditID", &random.guid())
        .text("stage", "ResponseComplete")
        .text("verb", call.verb)
        .json("user", &user)
        .json("sourceIPs", &format!(r#"["{}"]"#, person.address))
        .text("userAgent", "kubectl/v1.33.2 (linux/amd64)")
        .json("objectRef", &object.end())
        .json("responseStatus", &format!(r#"{{"code":{}}}"#, call.status))
        .text("requestReceivedTimestamp", &at)
        .text("stageTimestamp", &at);
    if !call.request.is_empty() {
        log = log.json("requestObject", call.request);
    }
    let properties = Object::with_room(1600)
        .quoted("log", &log.end())
        .text("stream", "stdout")
        .text("pod", "kube-apiserver-5f7c9d6b8-x2x7q")
        .end();
    let cluster = format!(
        "/SUBSCRIPTIONS/{}/RESOURCEGROUPS/RG-SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE\
         /MANAGEDCLUSTERS/AKS-SHOP",
        person.subscription.to_ascii_uppercase()
    );
    Object::with_room(2400)
        .text("time", &at)
        .text("category", "kube-audit")
        .text(
            "operationName",
            "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        )
        .text("resourceId", &cluster)
        .json("properties", &properties)
        .end()
}
