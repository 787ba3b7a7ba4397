# Redpanda, or any Kafka of your own, in a VPC: SCRAM over TLS with a private authority.
# Secrets Manager is reached through an interface endpoint, the brokers by their address ranges,
# by the functions and, from the same subnets, by the event source mapping.

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

resource "aws_security_group" "mapping" {
  name        = "sluice-mapping"
  description = "Event source mapping"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "mapping" {
  for_each = toset(var.kafka_cidrs)

  security_group_id = aws_security_group.mapping.id
  description       = "Kafka"
  ip_protocol       = "tcp"
  from_port         = min(local.ports...)
  to_port           = max(local.ports...)
  cidr_ipv4         = each.value
}

locals {
  ports = [for broker in var.brokers : tonumber(split(":", broker)[1])]
}

module "sluice" {
  source = "../.."

  contract                  = "${path.module}/../../../gateway.yaml"
  packages                  = var.packages
  manage_apigateway_account = var.manage_apigateway_account

  kafka = {
    auth                        = "scram"
    mechanism                   = "SCRAM-SHA-256"
    brokers                     = var.brokers
    secret_arn                  = var.secret_arn
    secrets_extension_layer_arn = var.secrets_extension_layer_arn
    ca_certificate              = file(var.ca_certificate_file)
    ca_secret_arn               = var.ca_secret_arn
  }

  push = {
    subnet_ids        = var.subnet_ids
    security_group_id = aws_security_group.mapping.id
  }

  vpc = {
    id            = var.vpc_id
    subnet_ids    = var.subnet_ids
    kafka_cidrs   = var.kafka_cidrs
    secrets_cidrs = var.secrets_cidrs
  }
}
