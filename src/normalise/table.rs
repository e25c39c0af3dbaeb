//! The attributes that have a FortiSIEM name, and where they come from.

use super::Derivation::{
    Address, EventCategory, EventType, Integer, Level, Outcome, Record, ResourceName, Segment,
    Severity, Text,
};
use super::KnownAttribute;

/// When a record happened, in the order of trust.
pub(crate) const TIMES: &[&str] = &[
    "time",
    "timestamp",
    "timeGenerated",
    "eventTimestamp",
    "createdDateTime",
    "activityDateTime",
    "eventTimeString",
    "eventTime",
    "properties.createdDateTime",
    "properties.activityDateTime",
];

/// Where the claims of a token are kept: activity log, Key Vault, REST and Log Analytics.
pub(super) const CLAIMS: [&str; 4] = ["identity.claims", "identity.claim", "claims", "claims_d"];

const OPERATION: &[&str] = &[
    "operationNameValue",
    "operationName.value",
    "operationName",
    "eventName.value",
    "eventName",
    "activityDisplayName",
];

const RESOURCE_ID: &[&str] = &["resourceId", "_resourceId", "resourceUri"];

const CORRELATION_ID: &[&str] = &["correlationId", "properties.correlationId"];

const RESULT: &[&str] = &[
    "activityStatusValue",
    "resultType",
    "status.value",
    "activityStatus",
    "status",
    "properties.result",
    "result",
    "statusText",
];

/// In alphabetical order.
pub(super) const KNOWN: &[KnownAttribute] = &[
    KnownAttribute {
        name: "activityName",
        meaning: "the operation's name as people read it",
        sources: &[
            "operationName.localizedValue",
            "properties.activityDisplayName",
            "activityDisplayName",
            "properties.eventName.localizedValue",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "appId",
        meaning: "id of the application that acted, or through which the user did",
        sources: &[
            "{claims}.appid",
            "properties.appId",
            "appId",
            "properties.initiatedBy.app.appId",
            "initiatedBy.app.appId",
            "identity.requester.appId",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "appName",
        meaning: "name of the application that acted, or through which the user did",
        sources: &[
            "properties.appDisplayName",
            "appDisplayName",
            "properties.initiatedBy.app.displayName",
            "initiatedBy.app.displayName",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "azureCorrelationId",
        meaning: "the same as correlationId",
        sources: CORRELATION_ID,
        derivation: Text,
    },
    KnownAttribute {
        name: "azureEventCategory",
        meaning: "kind of event: Administrative, Policy, Security, SignInLogs, ..",
        sources: &[
            "properties.eventCategory",
            "categoryValue",
            "category.value",
            "category",
        ],
        derivation: EventCategory,
    },
    KnownAttribute {
        name: "azureEventId",
        meaning: "id of this one record, where it has one",
        sources: &["eventDataId", "properties.eventDataId", "properties.id"],
        derivation: Text,
    },
    KnownAttribute {
        name: "azureSubstatus",
        meaning: "the finer result: Started., Succeeded.Created, 200, ..",
        sources: &[
            "activitySubstatusValue",
            "resultSignature",
            "substatus.value",
            "activitySubstatus",
            "substatus",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "category",
        meaning: "the record's category as written",
        sources: &["categoryValue", "category.value", "category", "type"],
        derivation: Text,
    },
    KnownAttribute {
        name: "correlationId",
        meaning: "what the records of one action share; other actions may share it too",
        sources: CORRELATION_ID,
        derivation: Text,
    },
    KnownAttribute {
        name: "durationMs",
        meaning: "how long the operation took, in milliseconds",
        sources: &["durationMs"],
        derivation: Integer,
    },
    KnownAttribute {
        name: "eventOutcome",
        meaning: "Success or Failure; absent while an action has only started or was accepted",
        sources: &[
            "activityStatusValue",
            "resultType",
            "status.value",
            "activityStatus",
            "status",
            "properties.result",
            "result",
            "statusText",
            "properties.status.errorCode",
        ],
        derivation: Outcome,
    },
    KnownAttribute {
        name: "eventSeverity",
        meaning: "the level as a number: Critical 10, Error 7, Warning 5, Informational 2, Verbose 1",
        sources: &["level"],
        derivation: Severity,
    },
    KnownAttribute {
        name: "eventType",
        meaning: "the operation as FortiSIEM's event type: MS_EvtHub_..",
        sources: OPERATION,
        derivation: EventType,
    },
    KnownAttribute {
        name: "level",
        meaning: "Critical, Error, Warning, Informational or Verbose",
        sources: &["level"],
        derivation: Level,
    },
    KnownAttribute {
        name: "location",
        meaning: "where the event was processed; of a sign-in the country",
        sources: &["location"],
        derivation: Text,
    },
    KnownAttribute {
        name: "opName",
        meaning: "the operation's name as written",
        sources: OPERATION,
        derivation: Text,
    },
    KnownAttribute {
        name: "principalId",
        meaning: "object id of the user or service principal that acted",
        sources: &[
            "identity.authorization.evidence.principalId",
            "authorization.evidence.principalId",
            "authorization_d.evidence.principalId",
            "{claims}.\"http://schemas.microsoft.com/identity/claims/objectidentifier\"",
            "{claims}.oid",
            "properties.initiatedBy.user.id",
            "initiatedBy.user.id",
            "properties.initiatedBy.app.servicePrincipalId",
            "initiatedBy.app.servicePrincipalId",
            "properties.userId",
            "userId",
            "properties.servicePrincipalId",
            "servicePrincipalId",
            "identity.requester.objectId",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "principalType",
        meaning: "User, ServicePrincipal, Group, ..",
        sources: &[
            "identity.authorization.evidence.principalType",
            "authorization.evidence.principalType",
            "authorization_d.evidence.principalType",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "rawEventMsg",
        meaning: "the text of the whole record as received",
        sources: &[],
        derivation: Record,
    },
    KnownAttribute {
        name: "resourceGroup",
        meaning: "the resource group: its field, else out of the resource's id",
        sources: &[
            "resourceGroupName",
            "resourceGroup",
            "resourceId",
            "_resourceId",
            "resourceUri",
        ],
        derivation: Segment {
            before: "resourceGroups",
            ids: 3,
        },
    },
    KnownAttribute {
        name: "resourceId",
        meaning: "the resource acted on; its case is not stable in Azure",
        sources: RESOURCE_ID,
        derivation: Text,
    },
    KnownAttribute {
        name: "resourceName",
        meaning: "the last segment of the resource's id",
        sources: RESOURCE_ID,
        derivation: ResourceName,
    },
    KnownAttribute {
        name: "resultDescription",
        meaning: "the result in words",
        sources: &[
            "resultDescription",
            "properties.statusMessage",
            "properties.status.failureReason",
            "properties.resultReason",
            "resultReason",
            "description",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "resultType",
        meaning: "the result as written: Start, Accept, Success, Failure, 50126, ..",
        sources: RESULT,
        derivation: Text,
    },
    KnownAttribute {
        name: "role",
        meaning: "the role that allowed the operation",
        sources: &[
            "identity.authorization.evidence.role",
            "authorization.evidence.role",
            "authorization_d.evidence.role",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "srcIpAddr",
        meaning: "the address the caller came from, without port; absent if it is no address",
        sources: &[
            "callerIpAddress",
            "httpRequest.clientIpAddress",
            "httpRequest_d.clientIpAddress",
            "properties.ipAddress",
            "ipAddress",
            "properties.callerIpAddress",
            "properties.initiatedBy.user.ipAddress",
            "initiatedBy.user.ipAddress",
            "properties.clientIp",
            "properties.cIp",
            "properties.userAddress",
        ],
        derivation: Address,
    },
    KnownAttribute {
        name: "statusCode",
        meaning: "the HTTP status: Created, 403, ..",
        sources: &[
            "properties.statusCode",
            "statusCode",
            "properties.responseCode",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "subscriptionId",
        meaning: "the subscription: its field, else out of the resource's id",
        sources: &["subscriptionId", "resourceId", "_resourceId", "resourceUri"],
        derivation: Segment {
            before: "subscriptions",
            ids: 3,
        },
    },
    KnownAttribute {
        name: "targetUser",
        meaning: "the users that a directory operation was done to",
        sources: &[
            "properties.targetResources.userPrincipalName",
            "targetResources.userPrincipalName",
        ],
        derivation: Text,
    },
    KnownAttribute {
        name: "tenantId",
        meaning: "the directory",
        sources: &[
            "tenantId",
            "{claims}.\"http://schemas.microsoft.com/identity/claims/tenantid\"",
            "{claims}.tid",
            "properties.tenantId",
            "aadTenantId",
            "resourceId",
            "properties.hierarchy",
            "hierarchy",
        ],
        derivation: Segment {
            before: "tenants",
            ids: 3,
        },
    },
    KnownAttribute {
        name: "user",
        meaning: "who did it: a user's sign-in name, else the id or name of what acted",
        sources: USER,
        derivation: Text,
    },
    KnownAttribute {
        name: "userAgent",
        meaning: "the program that the caller used, as it names itself",
        sources: &[
            "properties.userAgent",
            "properties.userAgentHeader",
            "userAgent",
            "properties.clientInfo",
        ],
        derivation: Text,
    },
];

/// Who did it. A person's name comes first; service principals and managed identities have none
/// in their token, so its ids follow; then what records without a token say.
const USER: &[&str] = &[
    "{claims}.\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn\"",
    "{claims}.upn",
    "{claims}.\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name\"",
    "{claims}.unique_name",
    "{claims}.appid",
    "{claims}.\"http://schemas.microsoft.com/identity/claims/objectidentifier\"",
    "{claims}.oid",
    "identity.authorization.evidence.principalId",
    "{claims}.\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/spn\"",
    "{claims}.\"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress\"",
    "{claims}.name",
    "caller",
    "properties.initiatedBy.user.userPrincipalName",
    "initiatedBy.user.userPrincipalName",
    "properties.initiatedBy.user.id",
    "initiatedBy.user.id",
    "properties.initiatedBy.app.displayName",
    "initiatedBy.app.displayName",
    "properties.initiatedBy.app.servicePrincipalId",
    "initiatedBy.app.servicePrincipalId",
    "properties.userPrincipalName",
    "userPrincipalName",
    "properties.userId",
    "userId",
    "properties.servicePrincipalName",
    "servicePrincipalName",
    "properties.servicePrincipalId",
    "servicePrincipalId",
    "identity.requester.upn",
    "identity.requester.objectId",
    "identity.requester.appId",
    "properties.server_principal_name",
    "properties.csUsername",
    "properties.user",
    "identity",
];
