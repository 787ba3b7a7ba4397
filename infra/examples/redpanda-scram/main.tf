# Redpanda, or any Kafka of your own, in a VPC: SCRAM over TLS with a private authority.
# Secrets Manager is reached through an interface endpoint, the brokers by their address ranges.

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

  kafka = {
    auth                        = "scram"
    mechanism                   = "SCRAM-SHA-256"
    brokers                     = var.brokers
    secret_arn                  = var.secret_arn
    secrets_extension_layer_arn = var.secrets_extension_layer_arn
    ca_certificate              = file(var.ca_certificate_file)
  }

  vpc = {
    id            = var.vpc_id
    subnet_ids    = var.subnet_ids
    kafka_cidrs   = var.kafka_cidrs
    secrets_cidrs = var.secrets_cidrs
  }
}
