# What `emulator.py` applies.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.50, < 7.0"
    }
  }
}

# The endpoint comes from the environment.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variable "contract" {
  description = "The path of the contract."
  type        = string
}

variable "packages" {
  description = "The folder of the packages."
  type        = string
}

variable "brokers" {
  description = "The brokers."
  type        = list(string)
}

module "sluice" {
  source = "../.."

  contract                  = var.contract
  packages                  = var.packages
  architecture              = "x86_64"
  tracing                   = false
  manage_apigateway_account = false

  kafka = {
    auth    = "none"
    brokers = var.brokers
  }
}

output "api_id" {
  description = "The API's id."
  value       = module.sluice.api_id
}

output "function_names" {
  description = "The functions, by their names in the contract."
  value       = module.sluice.function_names
}

output "callback_url" {
  description = "Where connections are posted to."
  value       = module.sluice.callback_url
}
