//! Records of other categories that share the hub: sign-ins, audit logs, Key Vault reads.

use super::activity::ticks;
use super::object::Object;
use super::people::{Kind, Person};
use super::random::Random;
use crate::time::{Millis, rfc3339};

const APPS: [&str; 5] = [
    "Azure Portal",
    "Microsoft Teams",
    "Contoso Intranet",
    "Azure CLI",
    "Office 365 Exchange",
];
const AUDITS: [&str; 6] = [
    "Update user",
    "Add member to group",
    "Reset user password",
    "Add app role assignment to service principal",
    "Update device",
    "Add service principal credentials",
];

/// A sign-in, with the category that the kind of identity has.
pub fn sign_in(random: &mut Random, person: &Person, time: Millis) -> String {
    let category = match person.kind {
        Kind::User if random.percent(70) => "NonInteractiveUserSignInLogs",
        Kind::User => "SignInLogs",
        Kind::ServicePrincipal => "ServicePrincipalSignInLogs",
        Kind::ManagedIdentity => "ManagedIdentitySignInLogs",
    };
    let error = if random.percent(92) {
        "0"
    } else {
        random.word(&["50126", "50140", "700082"])
    };
    let mut record = Object::with_room(2600)
        .text("time", &ticks(random, time))
        .text(
            "resourceId",
            &format!("/tenants/{}/providers/Microsoft.aadiam", person.tenant_id),
        )
        .text("operationName", "Sign-in activity")
        .text("operationVersion", "1.0")
        .text("category", category)
        .text("tenantId", person.tenant_id)
        .text("resultType", error)
        .text(
            "resultSignature",
            if error == "0" { "SUCCESS" } else { "FAILURE" },
        )
        .json("durationMs", "0");
    if person.kind != Kind::ManagedIdentity {
        record = record.text("callerIpAddress", &person.address);
    }
    if person.kind == Kind::User {
        record = record.text("identity", &format!("{} {}", person.given, person.surname));
    }
    record
        .text("correlationId", &random.guid())
        .json("Level", "4")
        .text("location", "SE")
        .json(
            "properties",
            &sign_in_properties(random, person, time, error),
        )
        .end()
}

fn sign_in_properties(random: &mut Random, person: &Person, time: Millis, error: &str) -> String {
    let device = r#"{"deviceId":"","operatingSystem":"Windows11","browser":"Edge 131.0.0"}"#;
    let location = concat!(
        r#"{"city":"Uppsala","state":"Uppsala Lan","countryOrRegion":"SE","#,
        r#""geoCoordinates":{"latitude":59.86,"longitude":17.64}}"#
    );
    let policies = concat!(
        r#"[{"id":"7a0c5e18-93d4-4b2f-8f61-d2b70e4ac935","displayName":"Require MFA","#,
        r#""enforcedGrantControls":["Mfa"],"enforcedSessionControls":[],"result":"success"},"#,
        r#"{"id":"c43f91d6-5e07-4a8b-b1c2-80d9f6732ea4","displayName":"Block legacy sign-in","#,
        r#""enforcedGrantControls":["Block"],"enforcedSessionControls":[],"#,
        r#""result":"notApplied"}]"#
    );
    let created = format!("{}+00:00", rfc3339(time).trim_end_matches('Z'));
    let properties = Object::with_room(1900)
        .text("id", &random.guid())
        .text("createdDateTime", &created)
        .text("appId", &person.app_id)
        .text("appDisplayName", random.word(&APPS))
        .text("ipAddress", &person.address)
        .json(
            "status",
            &format!(r#"{{"errorCode":{error},"additionalDetails":""}}"#),
        )
        .text("clientAppUsed", "Browser")
        .text(
            "userAgent",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/131.0.0.0",
        )
        .json("deviceDetail", device)
        .json("location", location)
        .json("appliedConditionalAccessPolicies", policies)
        .text("conditionalAccessStatus", "success")
        .text("riskDetail", "none")
        .text("riskLevelAggregated", "none")
        .text("riskState", "none")
        .text(
            "resourceDisplayName",
            "Windows Azure Service Management API",
        )
        .text("resourceId", "2f6b8c04-d13e-47a9-95f2-6e0a41bd7c83")
        .text("uniqueTokenIdentifier", &random.token(22));
    match person.kind {
        Kind::User => properties
            .text(
                "userDisplayName",
                &format!("{} {}", person.given, person.surname),
            )
            .text("userPrincipalName", &person.name.to_ascii_lowercase())
            .text("userId", &person.object_id),
        Kind::ServicePrincipal | Kind::ManagedIdentity => properties
            .text("servicePrincipalName", &person.name)
            .text("servicePrincipalId", &person.object_id),
    }
    .end()
}

/// What an entry of the Entra audit log says.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The operation.
    pub name: &'static str,
    /// The part of Entra that writes it.
    pub service: &'static str,
    /// What kind of operation it is.
    pub category: &'static str,
    /// Why it ended so.
    pub reason: &'static str,
    /// The kind of what it was done to.
    pub kind: &'static str,
    /// The id of that; empty: a random one.
    pub id: &'static str,
    /// A property that was changed, and its value now, as JSON text.
    pub changed: (&'static str, &'static str),
}

/// An ordinary entry of the Entra audit log.
pub fn audit(random: &mut Random, person: &Person, time: Millis) -> String {
    let entry = Entry {
        name: random.word(&AUDITS),
        service: "Core Directory",
        category: "UserManagement",
        reason: "",
        kind: "User",
        id: "",
        changed: ("AccountEnabled", r#"["true"]"#),
    };
    entry_of(random, person, time, &entry)
}

/// An entry of the Entra audit log.
pub fn entry_of(random: &mut Random, person: &Person, time: Millis, entry: &Entry) -> String {
    let initiator = match person.kind {
        Kind::User => format!(
            r#"{{"user":{{"id":"{}","userPrincipalName":"{}","ipAddress":"{}","roles":[]}}}}"#,
            person.object_id, person.name, person.address
        ),
        Kind::ServicePrincipal | Kind::ManagedIdentity => format!(
            r#"{{"app":{{"displayName":"{}","servicePrincipalId":"{}"}}}}"#,
            person.name, person.object_id
        ),
    };
    let changed = Object::with_room(200)
        .text("displayName", entry.changed.0)
        .quoted("oldValue", "[true]")
        .quoted("newValue", entry.changed.1)
        .end();
    let id = match entry.id {
        "" => random.guid(),
        id => id.to_owned(),
    };
    let target = Object::with_room(400)
        .text("id", &id)
        .text(
            "displayName",
            random.word(&["Payroll", "Developers", "Service Desk", "Finance"]),
        )
        .text("type", entry.kind)
        .json("modifiedProperties", &format!("[{changed}]"))
        .end();
    let properties = Object::with_room(1200)
        .text("id", &format!("Directory_{}", random.token(24)))
        .text("category", entry.category)
        .text("result", "success")
        .text("resultReason", entry.reason)
        .text("activityDisplayName", entry.name)
        .text("activityDateTime", &ticks(random, time))
        .text("loggedByService", entry.service)
        .text("operationType", "Update")
        .json("initiatedBy", &initiator)
        .json("targetResources", &format!("[{target}]"))
        .end();
    Object::with_room(1800)
        .text("time", &ticks(random, time))
        .text(
            "resourceId",
            &format!("/tenants/{}/providers/Microsoft.aadiam", person.tenant_id),
        )
        .text("operationName", entry.name)
        .text("operationVersion", "1.0")
        .text("category", "AuditLogs")
        .text("tenantId", person.tenant_id)
        .text("resultSignature", "None")
        .json("durationMs", "0")
        .text("callerIpAddress", &person.address)
        .text("correlationId", &random.guid())
        .json("Level", "4")
        .json("properties", &properties)
        .end()
}

/// A secret that is read from a Key Vault.
pub fn vault_read(random: &mut Random, person: &Person, time: Millis) -> String {
    let vault = format!("kv-prod-{:02}", random.below(40));
    vault_call(random, person, time, ("SecretGet", &vault))
}

/// A call of a Key Vault: its operation, and the vault's name.
pub fn vault_call(
    random: &mut Random,
    person: &Person,
    time: Millis,
    (operation, vault): (&str, &str),
) -> String {
    let secret = random.word(&["db-password", "storage-key", "signing-cert", "api-token"]);
    let claim = match person.kind {
        Kind::User => Object::with_room(200)
            .text(
                "http://schemas.microsoft.com/identity/claims/objectidentifier",
                &person.object_id,
            )
            .text("upn", &person.name)
            .end(),
        Kind::ServicePrincipal | Kind::ManagedIdentity => {
            format!(
                r#"{{"oid":"{}","appid":"{}"}}"#,
                person.object_id, person.app_id
            )
        }
    };
    let version = random.hex();
    let address = format!("https://{vault}.vault.azure.net/secrets/{secret}/{version}");
    let properties = Object::with_room(600)
        .text("id", &address)
        .text(
            "clientInfo",
            "azsdk-net-Security.KeyVault.Secrets/4.6.0 (.NET 8.0.11; Linux)",
        )
        .text("requestUri", &format!("{address}?api-version=7.5"))
        .json("httpStatusCode", "200")
        .text("tlsVersion", "TLS1_3")
        .end();
    Object::with_room(1600)
        .text("time", &ticks(random, time))
        .text("category", "AuditEvent")
        .text("operationName", operation)
        .text("resultType", "Success")
        .text("resultSignature", "OK")
        .text("resultDescription", "")
        .text("correlationId", &random.guid())
        .text("callerIpAddress", &person.address)
        .json("identity", &format!(r#"{{"claim":{claim}}}"#))
        .json("durationMs", &(3 + random.below(60)).to_string())
        .json("properties", &properties)
        .text(
            "resourceId",
            &format!(
                "/SUBSCRIPTIONS/{}/RESOURCEGROUPS/RG-OPS/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/{}",
                person.subscription.to_ascii_uppercase(),
                vault.to_ascii_uppercase()
            ),
        )
        .end()
}

/// A risk that was seen in what a user did, and is low.
pub fn low_risk(random: &mut Random, person: &Person, time: Millis) -> String {
    let at = ticks(random, time);
    let properties = Object::with_room(700)
        .text("id", &random.hex())
        .text("correlationId", &random.guid())
        .text("riskEventType", "unfamiliarFeatures")
        .text("riskState", "atRisk")
        .text("riskLevel", "low")
        .text("riskDetail", "none")
        .text("source", "IdentityProtection")
        .text("detectionTimingType", "realtime")
        .text("activity", "signin")
        .text("ipAddress", &person.address)
        .text("activityDateTime", &at)
        .text("detectedDateTime", &at)
        .text("userId", &person.object_id)
        .text(
            "userDisplayName",
            &format!("{} {}", person.given, person.surname),
        )
        .text("userPrincipalName", &person.name)
        .end();
    tenant_record(person, ("User Risk Detection", "UserRiskEvents", &at))
        .text("correlationId", &random.guid())
        .json("properties", &properties)
        .end()
}

/// A call of Microsoft Graph that is answered.
pub fn graph_call(random: &mut Random, person: &Person, time: Millis) -> String {
    let at = ticks(random, time);
    let path = random.word(&["me", "me/memberOf", "users", "groups", "me/messages"]);
    let properties = Object::with_room(900)
        .text("timeGenerated", &at)
        .text("requestId", &random.guid())
        .text("apiVersion", "v1.0")
        .text("requestMethod", "GET")
        .text(
            "requestUri",
            &format!("https://graph.microsoft.com/v1.0/{path}"),
        )
        .json("responseStatusCode", "200")
        .text("ipAddress", &person.address)
        .text(
            "userAgent",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/131.0.0.0",
        )
        .text("appId", &person.app_id)
        .text("userId", &person.object_id)
        .text("scopes", "User.Read openid profile")
        .end();
    tenant_record(
        person,
        (
            "Microsoft Graph Activity",
            "MicrosoftGraphActivityLogs",
            &at,
        ),
    )
    .text("resultSignature", "200")
    .text("callerIpAddress", &person.address)
    .text("correlationId", &random.guid())
    .json("properties", &properties)
    .end()
}

/// What records of a tenant begin with: their operation, category and time.
fn tenant_record(person: &Person, (operation, category, at): (&str, &str, &str)) -> Object {
    Object::with_room(1600)
        .text("time", at)
        .text(
            "resourceId",
            &format!("/tenants/{}/providers/Microsoft.aadiam", person.tenant_id),
        )
        .text("operationName", operation)
        .text("operationVersion", "1.0")
        .text("category", category)
        .text("tenantId", person.tenant_id)
        .json("Level", "4")
}
