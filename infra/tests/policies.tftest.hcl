# Whole deployments; `policies.py` reads from their state what every role may do.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  contract  = "tests/contracts/accepted/full.yaml"
  packages  = "nowhere"
  functions = { for name in ["authorizer", "connect", "disconnect", "goodbye", "message", "push"] : name => { package = "../gateway.yaml" } }
}

run "msk_iam" {
  variables {
    kafka = { auth = "msk_iam", brokers = ["b-1:9098"], msk = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/events/11112222-3333-4444-5555-666677778888-2" } }
    vpc   = { id = "vpc-1", subnet_ids = ["subnet-1"], kafka_security_group_id = "sg-kafka" }
  }

  assert {
    condition     = length(output.role_arns) == 6
    error_message = jsonencode(output.role_arns)
  }
}

run "plain" {
  variables {
    kafka = {
      auth                        = "plain"
      brokers                     = ["broker.example.com:9092"]
      secret_arn                  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"
      secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:17"
    }
  }

  assert {
    condition     = length(output.role_arns) == 6
    error_message = jsonencode(output.role_arns)
  }
}
