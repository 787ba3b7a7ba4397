# A function of your own decides who may connect. This one is Python; zip it beside the others:
#   python3 ../../zip.py ../../../dist/arm64/authorizer.zip 1000000 authorizer.py
# and package the functions with this folder's contract: infra/package --contract infra/examples/with-authorizer/gateway.yaml

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

  contract                  = "${path.module}/gateway.yaml"
  packages                  = var.packages
  manage_apigateway_account = true

  functions = {
    authorizer = {
      runtime     = "python3.13"
      handler     = "authorizer.handler"
      environment = { TICKETS_SECRET_ARN = var.tickets_secret_arn }
      statements = [jsonencode({
        Sid      = "Tickets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = var.tickets_secret_arn
      })]
    }
  }

  kafka = {
    auth    = "tls"
    brokers = var.brokers
  }
}
