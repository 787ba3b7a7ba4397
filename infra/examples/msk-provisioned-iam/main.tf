# A cluster of MSK that is there already, with IAM, alarms and a key of your own.

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

data "aws_msk_cluster" "this" {
  cluster_name = var.cluster_name
}

resource "aws_sns_topic" "alarms" {
  name = "sluice-alarms"
}

module "sluice" {
  source = "../.."

  contract                  = "${path.module}/../../../gateway.yaml"
  packages                  = var.packages
  manage_apigateway_account = var.manage_apigateway_account
  alarm_topic_arn           = aws_sns_topic.alarms.arn
  kms_key_arn               = var.kms_key_arn

  kafka = {
    auth    = "msk_iam"
    brokers = split(",", data.aws_msk_cluster.this.bootstrap_brokers_sasl_iam)
    msk     = { cluster_arn = data.aws_msk_cluster.this.arn }
  }

  vpc = {
    id                      = var.vpc_id
    subnet_ids              = var.subnet_ids
    kafka_security_group_id = var.kafka_security_group_id
  }
}
