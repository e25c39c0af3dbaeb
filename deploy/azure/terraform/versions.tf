terraform {
  required_version = ">= 1.5"
  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
      # retention_description of event hubs.
      version = ">= 4.42, < 5.0"
    }
  }
}
