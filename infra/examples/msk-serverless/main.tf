# MSK Serverless with IAM: no broker to size, no password.
# Terraform makes the cluster and its topics; MSK Serverless makes none by itself.

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

data "aws_vpc" "this" {
  id = var.vpc_id
}

locals {
  # Where MSK listens with IAM.
  kafka_port = 9098
}

resource "aws_security_group" "kafka" {
  name        = "sluice-kafka"
  description = "Brokers of MSK Serverless"
  vpc_id      = data.aws_vpc.this.id
}

# The event source mapping reads from inside this group.
resource "aws_vpc_security_group_ingress_rule" "mapping" {
  security_group_id            = aws_security_group.kafka.id
  description                  = "Event source mapping"
  ip_protocol                  = "tcp"
  from_port                    = local.kafka_port
  to_port                      = local.kafka_port
  referenced_security_group_id = aws_security_group.kafka.id
}

resource "aws_vpc_security_group_egress_rule" "mapping" {
  security_group_id            = aws_security_group.kafka.id
  description                  = "Event source mapping"
  ip_protocol                  = "tcp"
  from_port                    = local.kafka_port
  to_port                      = local.kafka_port
  referenced_security_group_id = aws_security_group.kafka.id
}

resource "aws_msk_serverless_cluster" "this" {
  cluster_name = "sluice"

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.kafka.id]
  }

  client_authentication {
    sasl {
      iam {
        enabled = true
      }
    }
  }
}

resource "aws_msk_topic" "this" {
  for_each = toset(module.sluice.topics)

  cluster_arn        = aws_msk_serverless_cluster.this.arn
  name               = each.key
  partition_count    = 3
  replication_factor = 3
}

module "sluice" {
  source = "../.."

  contract                  = coalesce(var.contract, "${path.module}/../../../gateway.yaml")
  packages                  = var.packages
  manage_apigateway_account = var.manage_apigateway_account

  kafka = {
    auth    = "msk_iam"
    brokers = split(",", aws_msk_serverless_cluster.this.bootstrap_brokers_sasl_iam)
    msk     = { cluster_arn = aws_msk_serverless_cluster.this.arn }
  }

  vpc = {
    id                      = data.aws_vpc.this.id
    subnet_ids              = var.subnet_ids
    kafka_security_group_id = aws_security_group.kafka.id
  }
}
