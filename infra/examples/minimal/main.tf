# Public brokers, SASL/PLAIN over TLS, no VPC: the least there is.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.50, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

module "sluice" {
  source = "../.."

  contract = "${path.module}/../../../gateway.yaml"
  packages = var.packages

  # For the first API Gateway with logs in this account and region.
  manage_apigateway_account = var.manage_apigateway_account

  kafka = {
    auth                        = "plain"
    brokers                     = var.brokers
    secret_arn                  = var.secret_arn
    secrets_extension_layer_arn = var.secrets_extension_layer_arn
  }
}
