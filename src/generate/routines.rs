//! What is done week by week without harm: each kind of operation that the shipped rules look for.

use super::cluster::Call;
use super::entra::Entry;
use super::operations::{Operation, Phases, operation};

/// Something that is done.
#[derive(Debug)]
pub enum Deed {
    /// An operation of Azure Resource Manager.
    Call(Operation),
    /// One, and a while later another that undoes it.
    Brief(Operation, Operation),
    /// An entry of the audit log of Entra.
    Audit(Entry),
    /// A call of a key vault, by its name.
    Vault(&'static str),
    /// A call of a cluster.
    Cluster(Call),
    /// A risk that is low.
    LowRisk,
    /// A call of Microsoft Graph.
    Graph,
}

/// What one does again and again.
#[derive(Debug)]
pub struct Routine {
    /// The number of the person or service.
    pub who: u64,
    /// Whether it is done in office hours alone.
    pub at_work: bool,
    pub deed: Deed,
}

/// What one does for hours on one day of the week.
#[derive(Debug)]
pub struct Campaign {
    /// The number of the person or service.
    pub who: u64,
    /// 0 is Sunday.
    pub weekday: i64,
    /// When it begins, UTC.
    pub hour: i64,
    pub deed: Deed,
}

const fn routine(who: u64, deed: Deed) -> Routine {
    Routine {
        who,
        at_work: false,
        deed,
    }
}

const fn call(phases: Phases, name: &'static str, resource: &'static str) -> Deed {
    Deed::Call(operation(0, phases, name, resource, ""))
}

const fn with_body(name: &'static str, resource: &'static str, body: &'static str) -> Deed {
    Deed::Call(operation(0, Phases::Long, name, resource, body))
}

const fn cluster(verb: &'static str, resource: &'static str, subresource: &'static str) -> Deed {
    let status = if subresource.is_empty() { "200" } else { "101" };
    Deed::Cluster(Call {
        verb,
        resource,
        subresource,
        status,
        request: "",
    })
}

const fn bound(verb: &'static str, resource: &'static str) -> Deed {
    Deed::Cluster(Call {
        verb,
        resource,
        subresource: "",
        status: "201",
        request: r#"{"roleRef":{"kind":"ClusterRole","name":"view"}}"#,
    })
}

/// An entry about applications.
const APPLICATION: Entry = Entry {
    name: "",
    service: "Core Directory",
    category: "ApplicationManagement",
    reason: "",
    kind: "ServicePrincipal",
    id: "",
    changed: ("DisplayName", r#""shop""#),
};

/// An entry about people.
const PERSON: Entry = Entry {
    category: "UserManagement",
    kind: "User",
    ..APPLICATION
};

/// An entry about roles.
const ROLE: Entry = Entry {
    category: "RoleManagement",
    changed: ("Role.DisplayName", r#""Directory Readers""#),
    ..PERSON
};

/// An entry of Privileged Identity Management.
const PIM: Entry = Entry {
    service: "PIM",
    kind: "Role",
    ..ROLE
};

/// An entry about policies.
const POLICY: Entry = Entry {
    service: "Conditional Access",
    category: "Policy",
    kind: "Policy",
    ..APPLICATION
};

/// An entry about domains.
const DOMAIN: Entry = Entry {
    category: "DirectoryManagement",
    kind: "Domain",
    ..APPLICATION
};

const fn entry(name: &'static str, like: Entry) -> Deed {
    Deed::Audit(Entry { name, ..like })
}

/// An account that nobody reaches from outside.
const CLOSED_ACCOUNT: &str = concat!(
    r#"{"properties":{"allowBlobPublicAccess":false,"#,
    r#""networkAcls":{"defaultAction":"Deny"}}}"#
);

/// Remote access for the office alone.
const OFFICE_SSH: &str = concat!(
    r#"{"properties":{"access":"Allow","direction":"Inbound","#,
    r#""sourceAddressPrefix":"203.0.113.0/24","destinationPortRange":"22"}}"#
);

/// The operation that deletes the backups of a machine.
const BACKUP_DELETED: &str = concat!(
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/",
    "protectedItems/delete"
);

/// The role of a contributor for somebody.
const CONTRIBUTOR: &str = concat!(
    r#"{"Properties":{"PrincipalId":"d1c0a5b7-23e4-4f68-9b10-6f7a8c9d0e12","#,
    r#""RoleDefinitionId":"/providers/Microsoft.Authorization/roleDefinitions/"#,
    r#"b24988ac-6180-42a0-ab88-20f7382dd24c"}}"#
);

/// One after the other, in turns.
pub const ROUTINES: &[Routine] = &[
    // The pipeline that builds machines.
    routine(
        7,
        call(
            Phases::Long,
            "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommand/action",
            "Microsoft.Compute/virtualMachineScaleSets/vmss-shop/virtualMachines/3",
        ),
    ),
    routine(
        7,
        call(
            Phases::Long,
            "Microsoft.Compute/virtualMachines/runCommands/write",
            "Microsoft.Compute/virtualMachines/vm-build/runCommands/inventory",
        ),
    ),
    routine(
        7,
        call(
            Phases::Long,
            "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands/write",
            "Microsoft.Compute/virtualMachineScaleSets/vmss/virtualMachines/3/runCommands/list",
        ),
    ),
    routine(
        7,
        call(
            Phases::Long,
            "Microsoft.HybridCompute/machines/runCommands/write",
            "Microsoft.HybridCompute/machines/srv-#/runCommands/inventory",
        ),
    ),
    routine(
        7,
        call(
            Phases::Long,
            "Microsoft.Compute/galleries/applications/versions/write",
            "Microsoft.Compute/galleries/tools/applications/agent/versions/1.0.#",
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/virtualMachines/extensions/write",
            "Microsoft.Compute/virtualMachines/vm-app-#/extensions/agent",
            r#"{"properties":{"type":"AzureMonitorLinuxAgent"}}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/virtualMachineScaleSets/extensions/write",
            "Microsoft.Compute/virtualMachineScaleSets/vmss-shop/extensions/setup",
            r#"{"properties":{"type":"CustomScript"}}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.HybridCompute/machines/extensions/write",
            "Microsoft.HybridCompute/machines/srv-#/extensions/agent",
            r#"{"properties":{"type":"AzureMonitorWindowsAgent"}}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/virtualMachines/write",
            "Microsoft.Compute/virtualMachines/vm-build-#",
            r#"{"location":"westeurope"}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/virtualMachineScaleSets/write",
            "Microsoft.Compute/virtualMachineScaleSets/vmss-shop",
            r#"{"location":"westeurope"}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/snapshots/write",
            "Microsoft.Compute/snapshots/snap-keep-#",
            r#"{"properties":{"creationData":{"createOption":"Copy"}}}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/snapshots/beginGetAccess/action",
            "Microsoft.Compute/snapshots/snap-move-#",
            r#"{"access":"Read","durationInSeconds":3600}"#,
        ),
    ),
    routine(
        7,
        with_body(
            "Microsoft.Compute/disks/beginGetAccess/action",
            "Microsoft.Compute/disks/disk-move-#",
            r#"{"access":"Read","durationInSeconds":3600}"#,
        ),
    ),
    // The pipeline of the cluster, and of platforms.
    routine(
        19,
        call(
            Phases::Long,
            "Microsoft.ContainerService/managedClusters/runCommand/action",
            "Microsoft.ContainerService/managedClusters/aks-shop",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
            "Microsoft.ContainerService/managedClusters/aks-shop",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/id/federatedIdentityCredentials/ci",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.Web/sites/publishxml/action",
            "Microsoft.Web/sites/app-shop-#",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.EventHub/namespaces/authorizationRules/write",
            "Microsoft.EventHub/namespaces/ehns-shop/authorizationRules/send",
        ),
    ),
    routine(
        19,
        with_body(
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/stshop#",
            CLOSED_ACCOUNT,
        ),
    ),
    routine(
        19,
        call(
            Phases::Long,
            "Microsoft.Sql/servers/databases/export/action",
            "Microsoft.Sql/servers/sql-shop/databases/orders",
        ),
    ),
    routine(
        19,
        call(
            Phases::Long,
            "Microsoft.Sql/servers/administrators/write",
            "Microsoft.Sql/servers/sql-shop/administrators/ActiveDirectory",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.Authorization/roleDefinitions/write",
            "Microsoft.Authorization/roleDefinitions/shop-operator",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.Authorization/policyAssignments/delete",
            "Microsoft.Authorization/policyAssignments/tags-#",
        ),
    ),
    routine(
        19,
        call(
            Phases::Short,
            "Microsoft.Authorization/policyExemptions/write",
            "Microsoft.Authorization/policyExemptions/migration-#",
        ),
    ),
    routine(
        19,
        with_body(
            "Microsoft.Security/pricings/write",
            "Microsoft.Security/pricings/VirtualMachines",
            r#"{"properties":{"pricingTier":"Standard"}}"#,
        ),
    ),
    // Automation and its runbooks.
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/write",
            "Microsoft.Automation/automationAccounts/aa-shop",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/runbooks/draft/write",
            "Microsoft.Automation/automationAccounts/aa-shop/runbooks/stop-machines",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/runbooks/write",
            "Microsoft.Automation/automationAccounts/aa-shop/runbooks/stop-machines",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/runbooks/publish/action",
            "Microsoft.Automation/automationAccounts/aa-shop/runbooks/stop-machines",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/webhooks/action",
            "Microsoft.Automation/automationAccounts/aa-shop/webhooks/hook-#",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/webhooks/write",
            "Microsoft.Automation/automationAccounts/aa-shop/webhooks/hook-#",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/jobs/write",
            "Microsoft.Automation/automationAccounts/aa-shop/jobs/job-#",
        ),
    ),
    routine(
        23,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/runbooks/draft/testJob/write",
            "Microsoft.Automation/automationAccounts/aa-shop/runbooks/stop-machines/draft/testJob",
        ),
    ),
    // Environments for tests that are taken down.
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.Compute/virtualMachines/delete",
            "Microsoft.Compute/virtualMachines/vm-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.Compute/disks/delete",
            "Microsoft.Compute/disks/disk-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.Compute/snapshots/delete",
            "Microsoft.Compute/snapshots/snap-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Short,
            "Microsoft.Storage/storageAccounts/delete",
            "Microsoft.Storage/storageAccounts/sttest#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Short,
            "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            "Microsoft.Storage/storageAccounts/sttest/blobServices/default/containers/c-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Short,
            "Microsoft.KeyVault/vaults/delete",
            "Microsoft.KeyVault/vaults/kv-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.Sql/servers/delete",
            "Microsoft.Sql/servers/sql-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.Sql/servers/databases/delete",
            "Microsoft.Sql/servers/sql-test/databases/db-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Short,
            "Microsoft.RecoveryServices/vaults/delete",
            "Microsoft.RecoveryServices/vaults/rsv-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            BACKUP_DELETED,
            "Microsoft.RecoveryServices/vaults/rsv-test/backupFabrics/a/protectedItems/vm-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.DocumentDB/databaseAccounts/delete",
            "Microsoft.DocumentDB/databaseAccounts/cosmos-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Long,
            "Microsoft.ContainerService/managedClusters/delete",
            "Microsoft.ContainerService/managedClusters/aks-test-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Short,
            "Microsoft.Authorization/locks/delete",
            "Microsoft.Authorization/locks/keep-#",
        ),
    ),
    routine(
        31,
        call(
            Phases::Short,
            "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            "Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-test-#",
        ),
    ),
    routine(
        31,
        with_body(
            "Microsoft.RecoveryServices/vaults/backupconfig/write",
            "Microsoft.RecoveryServices/vaults/rsv-shop/backupconfig/vaultconfig",
            r#"{"properties":{"softDeleteFeatureState":"Enabled"}}"#,
        ),
    ),
    // A service that keeps stock of keys.
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/stshop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.Storage/storageAccounts/listAccountSas/action",
            "Microsoft.Storage/storageAccounts/stshop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
            "Microsoft.DocumentDB/databaseAccounts/cosmos-shop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.ServiceBus/namespaces/authorizationRules/listKeys/action",
            "Microsoft.ServiceBus/namespaces/sb-shop/authorizationRules/send",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.EventHub/namespaces/authorizationRules/listKeys/action",
            "Microsoft.EventHub/namespaces/ehns-shop/authorizationRules/send",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.Cache/redis/listKeys/action",
            "Microsoft.Cache/redis/redis-shop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.CognitiveServices/accounts/listKeys/action",
            "Microsoft.CognitiveServices/accounts/search-shop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.Search/searchServices/listAdminKeys/action",
            "Microsoft.Search/searchServices/search-shop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.ContainerRegistry/registries/listCredentials/action",
            "Microsoft.ContainerRegistry/registries/crshop",
        ),
    ),
    routine(
        37,
        call(
            Phases::Short,
            "Microsoft.OperationalInsights/workspaces/sharedKeys/action",
            "Microsoft.OperationalInsights/workspaces/log-shop",
        ),
    ),
    // One who looks after networks and machines.
    routine(
        1,
        call(
            Phases::Short,
            "Microsoft.SerialConsole/serialPorts/connect/action",
            "Microsoft.SerialConsole/serialPorts/vm-old-0",
        ),
    ),
    routine(
        1,
        with_body(
            "Microsoft.Network/networkSecurityGroups/securityRules/write",
            "Microsoft.Network/networkSecurityGroups/nsg-shop/securityRules/office-ssh",
            OFFICE_SSH,
        ),
    ),
    routine(
        1,
        with_body(
            "Microsoft.Sql/servers/firewallRules/write",
            "Microsoft.Sql/servers/sql-shop/firewallRules/office",
            r#"{"properties":{"startIpAddress":"203.0.113.0","endIpAddress":"203.0.113.255"}}"#,
        ),
    ),
    routine(
        1,
        call(
            Phases::Short,
            "Microsoft.Network/networkWatchers/packetCaptures/write",
            "Microsoft.Network/networkWatchers/nw-1/packetCaptures/pc-#",
        ),
    ),
    routine(
        1,
        call(
            Phases::Long,
            "Microsoft.Network/vpnGateways/startPacketCapture/action",
            "Microsoft.Network/vpnGateways/vpn-1",
        ),
    ),
    routine(
        1,
        call(
            Phases::Long,
            "Microsoft.Network/virtualNetworkGateways/startPacketCapture/action",
            "Microsoft.Network/virtualNetworkGateways/vng-1",
        ),
    ),
    routine(
        1,
        call(
            Phases::Short,
            "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action",
            "Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default",
        ),
    ),
    routine(
        1,
        call(
            Phases::Short,
            "Microsoft.Security/alertsSuppressionRules/write",
            "Microsoft.Security/alertsSuppressionRules/scanner",
        ),
    ),
    routine(
        1,
        call(
            Phases::Short,
            "Microsoft.AlertsManagement/actionRules/write",
            "Microsoft.AlertsManagement/actionRules/maintenance",
        ),
    ),
    // One who looks after applications.
    routine(
        2,
        entry(
            "Consent to application",
            Entry {
                changed: ("ConsentContext.IsAdminConsent", r#""True""#),
                id: "0f6c2d1b-7a43-4b1e-9c55-2e8d40f7a916",
                ..APPLICATION
            },
        ),
    ),
    routine(2, entry("Add delegated permission grant", APPLICATION)),
    routine(2, entry("Add service principal credentials", APPLICATION)),
    routine(
        2,
        entry(
            "Update application – Certificates and secrets management ",
            APPLICATION,
        ),
    ),
    routine(2, entry("Add owner to application", APPLICATION)),
    routine(2, entry("Add owner to service principal", APPLICATION)),
    routine(
        2,
        entry(
            "Add app role assignment to service principal",
            Entry {
                changed: ("AppRole.Value", r#""User.Read.All""#),
                ..APPLICATION
            },
        ),
    ),
    // One who looks after users.
    routine(
        3,
        entry(
            "Invite external user",
            Entry {
                service: "Invited Users",
                ..PERSON
            },
        ),
    ),
    routine(3, entry("Add user", PERSON)),
    routine(3, entry("Delete user", PERSON)),
    routine(3, entry("Reset user password", PERSON)),
    routine(3, entry("Reset password (by admin)", PERSON)),
    routine(
        3,
        entry(
            "Admin registered security info",
            Entry {
                service: "Authentication Methods",
                reason: "Admin registered phone method for user",
                ..PERSON
            },
        ),
    ),
    routine(3, entry("Add member to role", ROLE)),
    routine(3, entry("Add eligible member to role", ROLE)),
    // One who registers a factor, and is not at risk.
    routine(
        4,
        entry(
            "User registered security info",
            Entry {
                service: "Authentication Methods",
                ..PERSON
            },
        ),
    ),
    // One who looks after the tenant, in office hours where it is about roles.
    routine(5, entry("Update policy", POLICY)),
    routine(5, entry("Update conditional access policy", POLICY)),
    routine(5, entry("Delete policy", POLICY)),
    routine(5, entry("Delete conditional access policy", POLICY)),
    routine(5, entry("Add named location", POLICY)),
    routine(5, entry("Update named location", POLICY)),
    routine(5, entry("Delete named location", POLICY)),
    routine(5, entry("Set federation settings on domain", DOMAIN)),
    routine(5, entry("Set domain authentication", DOMAIN)),
    routine(5, entry("Add unverified domain", DOMAIN)),
    routine(5, entry("Verify domain", DOMAIN)),
    routine(
        5,
        entry(
            "Add eligible member to role in PIM completed (permanent)",
            PIM,
        ),
    ),
    routine(
        5,
        entry("Add member to role in PIM completed (timebound)", PIM),
    ),
    routine(5, entry("Update role setting in PIM", PIM)),
    Routine {
        who: 5,
        at_work: true,
        deed: entry("Add member to role completed (PIM activation)", PIM),
    },
    // One whose sign-ins look strange, and are not.
    routine(6, Deed::LowRisk),
    routine(6, Deed::Graph),
    // An application that keeps its secrets in a vault.
    routine(43, Deed::Vault("SecretGet")),
    routine(43, Deed::Vault("KeyGet")),
    routine(43, Deed::Vault("CertificateGet")),
    routine(43, Deed::Vault("SecretBackup")),
    routine(43, Deed::Vault("KeyBackup")),
    routine(43, Deed::Vault("SecretList")),
    routine(43, Deed::Vault("KeyList")),
    routine(43, Deed::Vault("VaultGet")),
    routine(43, Deed::Vault("SecretPurge")),
    routine(43, Deed::Vault("KeyPurge")),
    routine(43, Deed::Vault("CertificatePurge")),
    // One who looks after a cluster.
    routine(8, cluster("create", "pods", "exec")),
    routine(8, cluster("get", "pods", "exec")),
    routine(8, cluster("create", "pods", "attach")),
    routine(8, cluster("list", "secrets", "")),
    routine(8, bound("create", "clusterrolebindings")),
    routine(8, bound("update", "clusterrolebindings")),
    routine(8, bound("patch", "clusterrolebindings")),
    routine(8, bound("create", "rolebindings")),
    routine(
        8,
        Deed::Cluster(Call {
            verb: "create",
            resource: "pods",
            subresource: "",
            status: "201",
            request: r#"{"spec":{"containers":[{"securityContext":{"privileged":false}}]}}"#,
        }),
    ),
    // One who gives rights for a task, and takes them back.
    routine(
        9,
        Deed::Brief(
            operation(
                0,
                Phases::Short,
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/roleAssignments/5b0d3f96-6a1c-4c0e-8e57-0000000#",
                CONTRIBUTOR,
            ),
            operation(
                0,
                Phases::Short,
                "Microsoft.Authorization/roleAssignments/delete",
                "Microsoft.Authorization/roleAssignments/5b0d3f96-6a1c-4c0e-8e57-0000000#",
                "",
            ),
        ),
    ),
];

const fn campaign(who: u64, weekday: i64, hour: i64, deed: Deed) -> Campaign {
    Campaign {
        who,
        weekday,
        hour,
        deed,
    }
}

/// Campaigns of services, and of a few people: at most three on a day.
pub const CAMPAIGNS: &[Campaign] = &[
    campaign(
        57,
        1,
        8,
        call(
            Phases::Short,
            "Microsoft.Insights/diagnosticSettings/delete",
            "Microsoft.Insights/diagnosticSettings/to-old-hub-#",
        ),
    ),
    campaign(
        69,
        2,
        8,
        call(
            Phases::Short,
            "Microsoft.EventHub/namespaces/eventhubs/delete",
            "Microsoft.EventHub/namespaces/ehns-test/eventhubs/eh-#",
        ),
    ),
    campaign(
        73,
        3,
        8,
        call(
            Phases::Short,
            "Microsoft.Network/firewallPolicies/delete",
            "Microsoft.Network/firewallPolicies/fp-test-#",
        ),
    ),
    campaign(
        81,
        4,
        8,
        call(
            Phases::Short,
            "Microsoft.Network/networkWatchers/delete",
            "Microsoft.Network/networkWatchers/nw-test-#",
        ),
    ),
    campaign(
        87,
        5,
        8,
        call(
            Phases::Short,
            "Microsoft.Automation/automationAccounts/runbooks/delete",
            "Microsoft.Automation/automationAccounts/aa-test/runbooks/rb-#",
        ),
    ),
    campaign(
        93,
        6,
        8,
        call(
            Phases::Short,
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            "resourceGroups/rg-test-#",
        ),
    ),
    campaign(
        107,
        0,
        2,
        call(
            Phases::Short,
            "Microsoft.Compute/virtualMachines/runCommand/action",
            "resourceGroups/rg-batch/providers/Microsoft.Compute/virtualMachines/vm-batch",
        ),
    ),
    campaign(
        119,
        1,
        12,
        call(
            Phases::Short,
            "Microsoft.KeyVault/vaults/write",
            "Microsoft.KeyVault/vaults/kv-shop-#",
        ),
    ),
    campaign(
        123,
        2,
        12,
        call(
            Phases::Short,
            "Microsoft.Storage/storageAccounts/regenerateKey/action",
            "Microsoft.Storage/storageAccounts/stshop#",
        ),
    ),
    campaign(
        131,
        3,
        12,
        with_body(
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            "Microsoft.Storage/storageAccounts/stshop/blobServices/default/containers/c-#",
            r#"{"properties":{"publicAccess":"None"}}"#,
        ),
    ),
    campaign(101, 4, 12, entry("Disable Strong Authentication", PERSON)),
    campaign(
        102,
        5,
        12,
        call(
            Phases::Short,
            "Microsoft.Authorization/elevateAccess/action",
            "Microsoft.Authorization/elevateAccess",
        ),
    ),
];
