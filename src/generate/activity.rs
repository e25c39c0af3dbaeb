//! Activity Log records as a diagnostic setting exports them: one action is a Start, often an
//! Accept, and a Success or Failure, all with one correlation id.

use super::object::Object;
use super::operations::{Operation, Phases};
use super::people::{Kind, Person};
use super::random::Random;
use crate::time::{Millis, rfc3339};

/// All records of one action with their event times, Start first.
pub fn records(
    random: &mut Random,
    person: &Person,
    operation: &Operation,
    start: Millis,
) -> Vec<(Millis, String)> {
    let action = Action::new(random, person, operation);
    let write = |random: &mut Random, time, phase| (time, action.record(random, time, phase));
    let last = if random.percent(4) {
        &FAILURE
    } else {
        &SUCCESS
    };
    match operation.phases {
        Phases::Once => vec![write(random, start, &SUCCESS)],
        Phases::Short => {
            let end = start + random.millis(80, 900);
            vec![write(random, start, &START), write(random, end, last)]
        }
        Phases::Long => {
            let accepted = start + random.millis(120, 900);
            let slow = random.percent(3);
            let (least, most) = if slow {
                (60_000, 900_000)
            } else {
                (2_000, 30_000)
            };
            let end = accepted + random.millis(least, most);
            vec![
                write(random, start, &START),
                write(random, accepted, &ACCEPT),
                write(random, end, last),
            ]
        }
    }
}

/// What a record of one phase says of the outcome.
struct Phase {
    result: &'static str,
    signature: &'static str,
    status_code: &'static str,
    level: &'static str,
}

const START: Phase = Phase {
    result: "Start",
    signature: "Started.",
    status_code: "",
    level: "Information",
};
const ACCEPT: Phase = Phase {
    result: "Accept",
    signature: "Accepted.Accepted",
    status_code: "Accepted",
    level: "Information",
};
const SUCCESS: Phase = Phase {
    result: "Success",
    signature: "Succeeded.OK",
    status_code: "OK",
    level: "Information",
};
const FAILURE: Phase = Phase {
    result: "Failure",
    signature: "Failed.Conflict",
    status_code: "Conflict",
    level: "Error",
};

/// What the records of one action share.
struct Action<'a> {
    person: &'a Person,
    operation: &'a Operation,
    operation_name: String,
    resource_id: String,
    correlation_id: String,
    identity: String,
}

impl<'a> Action<'a> {
    fn new(random: &mut Random, person: &'a Person, operation: &'a Operation) -> Action<'a> {
        let number = format!("{:05}", random.below(400));
        let resource = operation.resource.replace('#', &number);
        let group = random.word(&[
            "rg-prod-web",
            "rg-prod-data",
            "rg-test",
            "rg-shared",
            "rg-ops",
        ]);
        let below = match resource.starts_with("resourceGroups") {
            true => resource,
            false => format!("resourceGroups/{group}/providers/{resource}"),
        };
        let path = format!("/subscriptions/{}/{below}", person.subscription);
        // Azure writes the same names in three ways, and one way throughout an action.
        let (operation_name, resource_id) = match random.below(20) {
            0..=11 => (
                operation.name.to_ascii_uppercase(),
                path.to_ascii_uppercase(),
            ),
            12..=15 => (
                operation.name.to_ascii_lowercase(),
                path.to_ascii_lowercase(),
            ),
            _ => (operation.name.to_owned(), path.clone()),
        };
        Action {
            person,
            operation,
            operation_name,
            resource_id,
            correlation_id: random.guid(),
            identity: identity(random, person, operation, &path),
        }
    }

    fn record(&self, random: &mut Random, time: Millis, phase: &Phase) -> String {
        let category = match self.operation.phases {
            Phases::Once => "Policy",
            Phases::Short | Phases::Long => "Administrative",
        };
        let mut record = Object::with_room(2600)
            .text("time", &ticks(random, time))
            .text("resourceId", &self.resource_id)
            .text("operationName", &self.operation_name)
            .text("category", category)
            .text("resultType", phase.result)
            .text("resultSignature", phase.signature)
            .text("durationMs", "0");
        // The end of a long action is written by the service alone: it has no caller's address.
        if phase.result != SUCCESS.result || self.operation.phases != Phases::Long {
            record = record.text("callerIpAddress", &self.person.address);
        }
        record
            .text("correlationId", &self.correlation_id)
            .json("identity", &self.identity)
            .text("level", phase.level)
            .json("properties", &self.properties(random, category, phase))
            .text("tenantId", self.person.tenant_id)
            .end()
    }

    fn properties(&self, random: &mut Random, category: &str, phase: &Phase) -> String {
        let hierarchy = format!(
            "{}/mg-root/mg-landing/{}",
            self.person.tenant_id, self.person.subscription
        );
        let mut properties = Object::with_room(700)
            .text("eventCategory", category)
            .text("entity", &self.resource_id)
            .text("message", self.operation.name)
            .text("hierarchy", &hierarchy);
        if phase.result == START.result {
            properties = properties.json("serviceRequestId", "null");
        } else {
            properties = properties
                .text("statusCode", phase.status_code)
                .text("serviceRequestId", &random.guid());
        }
        if !self.operation.body.is_empty() {
            properties = properties.quoted("requestbody", self.operation.body);
        }
        if phase.result == FAILURE.result {
            let message =
                r#"{"error":{"code":"Conflict","message":"Another operation is in progress."}}"#;
            properties = properties.quoted("statusMessage", message);
        }
        properties.end()
    }
}

/// Who acted and by what right. Kinds of identities differ in which claims they have.
fn identity(random: &mut Random, person: &Person, operation: &Operation, path: &str) -> String {
    let (role, principal_type) = match person.kind {
        Kind::User => ("Contributor", "User"),
        Kind::ServicePrincipal => ("Owner", "ServicePrincipal"),
        Kind::ManagedIdentity => ("Reader", "ServicePrincipal"),
    };
    let evidence = Object::with_room(400)
        .text("role", role)
        .text(
            "roleAssignmentScope",
            &format!("/subscriptions/{}", person.subscription),
        )
        .text("roleAssignmentId", &random.hex())
        .text("roleDefinitionId", "4d1c8a70e2b94f6ca35d0b7f91e68c24")
        .text("principalId", &person.object_id.replace('-', ""))
        .text("principalType", principal_type)
        .end();
    let authorization = Object::with_room(700)
        .text("scope", path)
        .text("action", operation.name)
        .json("evidence", &evidence)
        .end();
    Object::with_room(1800)
        .json("authorization", &authorization)
        .json("claims", &claims(random, person))
        .end()
}

fn claims(random: &mut Random, person: &Person) -> String {
    const IDENTITY: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
    const ENTRA: &str = "http://schemas.microsoft.com/identity/claims";
    let issued = 1_772_000_000 + random.below(1_000_000);
    let claims = Object::with_room(1400)
        .text("aud", "https://management.core.windows.net/")
        .text(
            "iss",
            &format!("https://sts.windows.net/{}/", person.tenant_id),
        )
        .text("iat", &issued.to_string())
        .text("exp", &(issued + 5400).to_string())
        .text("appid", &person.app_id);
    let claims = match person.kind {
        Kind::User => {
            let full_name = format!("{} {}", person.given, person.surname);
            // Tokens give the sign-in name now in one case, now in another.
            let upn = match random.percent(15) {
                true => person.name.to_ascii_lowercase(),
                false => person.name.clone(),
            };
            claims
                .text("appidacr", "0")
                .text("ipaddr", &person.address)
                .text("name", &full_name)
                .text(&format!("{IDENTITY}/name"), &upn)
                .text(&format!("{IDENTITY}/upn"), &upn)
        }
        Kind::ServicePrincipal => claims.text("appidacr", "1").text("idtyp", "app"),
        Kind::ManagedIdentity => claims.text("appidacr", "2").text(
            "xms_mirid",
            &format!(
                "/subscriptions/{}/resourcegroups/rg-ops",
                person.subscription
            ),
        ),
    };
    claims
        .text(&format!("{ENTRA}/objectidentifier"), &person.object_id)
        .text(&format!("{ENTRA}/tenantid"), person.tenant_id)
        .text("uti", &random.token(22))
        .text("ver", "1.0")
        .end()
}

/// A time as Azure writes it, with seven digits after the second.
pub fn ticks(random: &mut Random, time: Millis) -> String {
    let text = rfc3339(time);
    format!("{}{:04}Z", text.trim_end_matches('Z'), random.below(10_000))
}
