output "bootstrap_servers" {
  description = "`bootstrap.servers` of the configuration."
  value       = "${azurerm_eventhub_namespace.this.name}.servicebus.windows.net:9093"
}

output "export_rule_id" {
  description = "What other diagnostic settings need, to send to this namespace."
  value       = azurerm_eventhub_namespace_authorization_rule.export.id
}
