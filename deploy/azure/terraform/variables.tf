variable "resource_group_name" {
  description = "The resource group, which is there already."
  type        = string
}

variable "location" {
  description = "The region."
  type        = string
}

variable "namespace_name" {
  description = "The name of the namespace; worldwide unique."
  type        = string
}

variable "sku" {
  description = "Standard delivers at least once; Premium has transactions (a preview of Microsoft's), gzip and longer retention: docs/event-hubs.md."
  type        = string
  default     = "Standard"
  validation {
    condition     = contains(["Standard", "Premium"], var.sku)
    error_message = "The sku is Standard or Premium."
  }
}

variable "capacity" {
  description = "Throughput units (Standard, with which the namespace begins) or processing units (Premium)."
  type        = number
  default     = 1
}

variable "capacity_max" {
  description = "Up to how many throughput units a Standard namespace may grow by itself."
  type        = number
  default     = 4
}

variable "app" {
  description = "`app` of the configuration."
  type        = string
  default     = "watchfire"
}

variable "activity_log_hub" {
  description = "The event hub of the subscription's activity log; one of `sources`."
  type        = string
  default     = "insights-activity-logs"
}

variable "entra_hub" {
  description = "The event hub of Entra ID's logs; one of `sources`."
  type        = string
  default     = "entra-logs"
}

variable "source_partitions" {
  description = "As many workers can share the reading."
  type        = number
  default     = 8
}

variable "source_retention_hours" {
  description = "How long sources are kept."
  type        = number
  default     = 168
}

variable "matches_partitions" {
  description = "`matches_partitions`; never changes under one `app`."
  type        = number
  default     = 16
}

variable "incidents_partitions" {
  description = "Partitions of the incidents' hub."
  type        = number
  default     = 4
}

variable "matches_retention_hours" {
  description = "At least what `watchfire topics create --print bicep` says for your rules. Standard keeps 168 h at most."
  type        = number
  default     = 168
}

variable "incidents_retention_hours" {
  description = "How long incidents are kept."
  type        = number
  default     = 168
}

variable "worker_principal_id" {
  description = "The object id of the workers' managed identity. Empty: no roles are assigned (a connection string is used)."
  type        = string
  default     = ""
}

variable "reader_principal_ids" {
  description = "Object ids of those who read incidents."
  type        = set(string)
  default     = []
}

variable "export_activity_log" {
  description = "Whether the subscription's activity log is sent to its hub."
  type        = bool
  default     = true
}

variable "export_entra" {
  description = "Whether Entra ID's logs are sent to their hub; needs the role Security Administrator."
  type        = bool
  default     = false
}
