# Confluent Cloud over the internet, with an API key, and a domain of your own.
# Terraform makes the secret empty, so that no key gets into its state. Fill it with
#   aws secretsmanager put-secret-value --secret-id sluice-kafka --secret-string '{"username":"<API key>","password":"<its secret>"}'

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

resource "aws_secretsmanager_secret" "kafka" {
  name = "sluice-kafka"
}

module "sluice" {
  source = "../.."

  contract                  = "${path.module}/../../../gateway.yaml"
  packages                  = var.packages
  manage_apigateway_account = var.manage_apigateway_account

  kafka = {
    auth                        = "plain"
    brokers                     = [var.bootstrap_server]
    secret_arn                  = aws_secretsmanager_secret.kafka.arn
    secrets_extension_layer_arn = var.secrets_extension_layer_arn
  }

  domain = {
    name            = var.domain_name
    certificate_arn = var.certificate_arn
  }
}
