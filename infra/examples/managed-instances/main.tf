# Lambda Managed Instances: `message` runs on EC2 instances of yours, many invocations at once in one
# process with one connection to each broker. For steady load, and for clusters that bound connections.
# Package the functions with this folder's contract, from the top of the repository:
#   infra/package --contract infra/examples/managed-instances/gateway.yaml
# Lambda moves no function that is there already onto instances: the README says how to go over.

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

data "aws_partition" "this" {}

data "aws_msk_cluster" "this" {
  cluster_name = var.cluster_name
}

resource "aws_iam_role" "operator" {
  name = "sluice-instances"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "operator" {
  role       = aws_iam_role.operator.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AWSLambdaManagedEC2ResourceOperator"
}

resource "aws_lambda_capacity_provider" "this" {
  name = "sluice"

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [module.sluice.security_group_id, module.sluice.egress_security_group_id]
  }

  permissions_config {
    capacity_provider_operator_role_arn = aws_iam_role.operator.arn
  }

  instance_requirements {
    architectures = ["arm64"]
  }

  # Twelve is the least; it bounds the bill.
  capacity_provider_scaling_config {
    max_vcpu_count = 12
    scaling_mode   = "Auto"
  }

  depends_on = [aws_iam_role_policy_attachment.operator]
}

module "sluice" {
  source = "../.."

  contract                  = "${path.module}/gateway.yaml"
  packages                  = var.packages
  manage_apigateway_account = var.manage_apigateway_account

  functions = {
    message = {
      instances = { capacity_provider_arn = aws_lambda_capacity_provider.this.arn }
    }
  }

  kafka = {
    auth    = "msk_iam"
    brokers = split(",", data.aws_msk_cluster.this.bootstrap_brokers_sasl_iam)
    msk     = { cluster_arn = data.aws_msk_cluster.this.arn }
  }

  vpc = {
    id                      = var.vpc_id
    subnet_ids              = var.subnet_ids
    kafka_security_group_id = var.kafka_security_group_id
    egress_cidrs            = var.egress_cidrs
  }
}
