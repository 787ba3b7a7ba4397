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
  contract = yamldecode(file("${path.module}/../../../gateway.yaml"))
  topics   = toset(concat([for route in local.contract.routes : route.topic], try(local.contract.push.topics, [])))
}

resource "aws_security_group" "kafka" {
  name        = "sluice-kafka"
  description = "Brokers of MSK Serverless"
  vpc_id      = data.aws_vpc.this.id
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
  for_each = local.topics

  cluster_arn        = aws_msk_serverless_cluster.this.arn
  name               = each.key
  partition_count    = 3
  replication_factor = 3
}

module "sluice" {
  source = "../.."

  contract                  = "${path.module}/../../../gateway.yaml"
  packages                  = var.packages
  manage_apigateway_account = true

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
