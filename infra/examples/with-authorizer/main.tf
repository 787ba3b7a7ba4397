# A function of your own decides who may connect. This one is Python; it is zipped beside those that are
# packaged with this folder's contract, from the top of the repository:
#   infra/package --contract infra/examples/with-authorizer/gateway.yaml
#   python3 infra/zip.py dist/arm64/authorizer.zip 1000000 infra/examples/with-authorizer/authorizer.py

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
  manage_apigateway_account = var.manage_apigateway_account

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
