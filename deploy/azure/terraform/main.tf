# An Event Hubs namespace for Watchfire, who may do what with its hubs, and what Azure sends there.

locals {
  hubs = merge(
    {
      for name in toset([var.activity_log_hub, var.entra_hub]) : name => {
        partitions = var.source_partitions
        policy     = "Delete"
        hours      = var.source_retention_hours
      }
    },
    {
      "${var.app}.matches" = {
        partitions = var.matches_partitions
        policy     = "Delete"
        hours      = var.matches_retention_hours
      }
      "${var.app}.incidents" = {
        partitions = var.incidents_partitions
        policy     = "Delete"
        hours      = var.incidents_retention_hours
      }
      "${var.app}.dead-letters" = {
        partitions = 1
        policy     = "Delete"
        hours      = 168
      }
      "${var.app}.rules" = {
        partitions = 1
        policy     = "Compact"
        hours      = null
      }
    },
  )

  receiver = "Azure Event Hubs Data Receiver"
  sender   = "Azure Event Hubs Data Sender"

  # As docs/security.md grants it: each role on a hub, none on the namespace.
  grants = {
    "activity-receiver"   = { hub = var.activity_log_hub, role = local.receiver }
    "entra-receiver"      = { hub = var.entra_hub, role = local.receiver }
    "matches-receiver"    = { hub = "${var.app}.matches", role = local.receiver }
    "matches-sender"      = { hub = "${var.app}.matches", role = local.sender }
    "rules-receiver"      = { hub = "${var.app}.rules", role = local.receiver }
    "rules-sender"        = { hub = "${var.app}.rules", role = local.sender }
    "incidents-sender"    = { hub = "${var.app}.incidents", role = local.sender }
    "dead-letters-sender" = { hub = "${var.app}.dead-letters", role = local.sender }
  }
}

data "azurerm_subscription" "this" {}

resource "azurerm_eventhub_namespace" "this" {
  name                     = var.namespace_name
  resource_group_name      = var.resource_group_name
  location                 = var.location
  sku                      = var.sku
  capacity                 = var.capacity
  auto_inflate_enabled     = var.sku == "Standard"
  maximum_throughput_units = var.sku == "Standard" ? max(var.capacity, var.capacity_max) : null
  minimum_tls_version      = "1.2"
}

# Diagnostic settings write with a rule of the namespace that has all three rights.
resource "azurerm_eventhub_namespace_authorization_rule" "export" {
  name                = "export"
  namespace_name      = azurerm_eventhub_namespace.this.name
  resource_group_name = var.resource_group_name
  listen              = true
  send                = true
  manage              = true
}

resource "azurerm_eventhub" "this" {
  for_each = local.hubs

  name            = each.key
  namespace_id    = azurerm_eventhub_namespace.this.id
  partition_count = each.value.partitions

  retention_description {
    cleanup_policy          = each.value.policy
    retention_time_in_hours = each.value.hours
  }
}

resource "azurerm_role_assignment" "worker" {
  for_each = var.worker_principal_id == "" ? {} : local.grants

  scope                = azurerm_eventhub.this[each.value.hub].id
  role_definition_name = each.value.role
  principal_id         = var.worker_principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "reader" {
  for_each = var.reader_principal_ids

  scope                = azurerm_eventhub.this["${var.app}.incidents"].id
  role_definition_name = local.receiver
  principal_id         = each.value
}

resource "azurerm_monitor_diagnostic_setting" "activity_log" {
  count = var.export_activity_log ? 1 : 0

  name                           = "watchfire"
  target_resource_id             = data.azurerm_subscription.this.id
  eventhub_authorization_rule_id = azurerm_eventhub_namespace_authorization_rule.export.id
  eventhub_name                  = azurerm_eventhub.this[var.activity_log_hub].name

  dynamic "enabled_log" {
    for_each = toset([
      "Administrative", "Security", "ServiceHealth", "Alert",
      "Recommendation", "Policy", "Autoscale", "ResourceHealth",
    ])
    content {
      category = enabled_log.value
    }
  }
}

resource "azurerm_monitor_aad_diagnostic_setting" "entra" {
  count = var.export_entra ? 1 : 0

  name                           = "watchfire"
  eventhub_authorization_rule_id = azurerm_eventhub_namespace_authorization_rule.export.id
  eventhub_name                  = azurerm_eventhub.this[var.entra_hub].name

  dynamic "enabled_log" {
    for_each = toset([
      "AuditLogs", "SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs",
      "ManagedIdentitySignInLogs", "ProvisioningLogs", "RiskyUsers", "UserRiskEvents",
      "RiskyServicePrincipals", "ServicePrincipalRiskEvents", "MicrosoftGraphActivityLogs",
    ])
    content {
      category = enabled_log.value
    }
  }
}
