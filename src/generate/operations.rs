//! What people do in the generated subscriptions, and how often.

use super::random::Random;

/// How many records an action makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phases {
    /// A single record, as Policy writes them.
    Once,
    /// Start and Success within a second.
    Short,
    /// Start, Accept, and Success seconds to minutes later.
    Long,
}

/// An operation of Azure Resource Manager.
#[derive(Debug)]
pub struct Operation {
    /// As documented, in mixed case.
    pub name: &'static str,
    pub phases: Phases,
    /// Type and name of the resource that it acts on, below the provider, or all below the
    /// subscription if it begins with `resourceGroups`; `#` becomes a number.
    pub resource: &'static str,
    /// The request's body, JSON; empty: none.
    pub body: &'static str,
    /// How often it happens, against the others.
    weight: u64,
}

/// The operation that the attack consists of.
pub const RUN_COMMAND: Operation = Operation {
    name: "Microsoft.Compute/virtualMachines/runCommand/action",
    phases: Phases::Long,
    resource: "Microsoft.Compute/virtualMachines/vm-app-#",
    body: "",
    weight: 0,
};

/// An operation; of weight 0 it never is an ordinary one.
pub const fn operation(
    weight: u64,
    phases: Phases,
    name: &'static str,
    resource: &'static str,
    body: &'static str,
) -> Operation {
    Operation {
        name,
        phases,
        resource,
        body,
        weight,
    }
}

const OPERATIONS: [Operation; 16] = [
    operation(
        14,
        Phases::Once,
        "Microsoft.Authorization/policies/audit/action",
        "Microsoft.Storage/storageAccounts/stlogs#",
        "",
    ),
    operation(
        16,
        Phases::Short,
        "Microsoft.Storage/storageAccounts/listKeys/action",
        "Microsoft.Storage/storageAccounts/stdata#",
        "",
    ),
    operation(
        12,
        Phases::Long,
        "Microsoft.Resources/deployments/write",
        "Microsoft.Resources/deployments/main-#",
        r#"{"properties":{"mode":"Incremental","template":{"resources":[]},"parameters":{}}}"#,
    ),
    operation(
        6,
        Phases::Short,
        "Microsoft.Resources/deployments/validate/action",
        "Microsoft.Resources/deployments/main-#",
        r#"{"properties":{"mode":"Incremental","parameters":{"env":{"value":"test"}}}}"#,
    ),
    operation(
        5,
        Phases::Long,
        "Microsoft.Compute/virtualMachines/start/action",
        "Microsoft.Compute/virtualMachines/vm-web-#",
        "",
    ),
    operation(
        5,
        Phases::Long,
        "Microsoft.Compute/virtualMachines/deallocate/action",
        "Microsoft.Compute/virtualMachines/vm-web-#",
        "",
    ),
    operation(
        3,
        Phases::Long,
        "Microsoft.Compute/virtualMachines/write",
        "Microsoft.Compute/virtualMachines/vm-app-#",
        r#"{"location":"westeurope","properties":{"hardwareProfile":{"vmSize":"Standard_B2s"}}}"#,
    ),
    operation(
        4,
        Phases::Short,
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        "Microsoft.Network/networkSecurityGroups/nsg-web-#/securityRules/allow-https",
        r#"{"properties":{"access":"Allow","direction":"Inbound","destinationPortRange":"443"}}"#,
    ),
    operation(
        2,
        Phases::Long,
        "Microsoft.Network/virtualNetworks/write",
        "Microsoft.Network/virtualNetworks/vnet-#",
        r#"{"properties":{"addressSpace":{"addressPrefixes":["10.40.0.0/16"]}}}"#,
    ),
    operation(
        3,
        Phases::Short,
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleAssignments/8c1f7a52-4b0e-4d93-a6c8-0000000#",
        r#"{"Properties":{"PrincipalType":"User","Scope":"/"}}"#,
    ),
    operation(
        4,
        Phases::Short,
        "Microsoft.Web/sites/config/list/action",
        "Microsoft.Web/sites/app-shop-#/config/appsettings",
        "",
    ),
    operation(
        3,
        Phases::Short,
        "Microsoft.Web/sites/restart/action",
        "Microsoft.Web/sites/app-shop-#",
        "",
    ),
    operation(
        4,
        Phases::Short,
        "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
        "Microsoft.ContainerService/managedClusters/aks-#",
        "",
    ),
    operation(
        3,
        Phases::Short,
        "Microsoft.Insights/diagnosticSettings/write",
        "Microsoft.Insights/diagnosticSettings/to-hub-#",
        r#"{"properties":{"eventHubName":"insights","logs":[{"enabled":true}]}}"#,
    ),
    operation(
        2,
        Phases::Short,
        "Microsoft.Sql/servers/firewallRules/write",
        "Microsoft.Sql/servers/sql-#/firewallRules/office",
        r#"{"properties":{"startIpAddress":"203.0.113.0","endIpAddress":"203.0.113.255"}}"#,
    ),
    operation(
        4,
        Phases::Short,
        "Microsoft.Resources/tags/write",
        "Microsoft.Resources/tags/default",
        r#"{"operation":"Merge","properties":{"tags":{"costcentre":"4711","env":"prod"}}}"#,
    ),
];

/// An ordinary operation, the common ones more often.
pub fn ordinary(random: &mut Random) -> &'static Operation {
    let mut left = random.below(OPERATIONS.iter().map(|operation| operation.weight).sum());
    for operation in &OPERATIONS {
        match left.checked_sub(operation.weight) {
            Some(rest) => left = rest,
            None => return operation,
        }
    }
    &RUN_COMMAND
}
