# Whole deployments; `policies.py` reads from their state what every role may do, and `settings.py`
# what the root module makes of its variables.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  contract  = "tests/contracts/full.yaml"
  packages  = "${var.packages}/full"
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

run "scram" {
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms"
    kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/own"
    log_level       = "DEBUG"
    tracing         = false

    functions = merge(
      { for name in ["authorizer", "connect", "disconnect", "goodbye", "message"] : name => { package = "../gateway.yaml" } },
      { push = { package = "../gateway.yaml", vpc = true } },
    )

    kafka = {
      auth                        = "scram"
      mechanism                   = "SCRAM-SHA-256"
      brokers                     = ["b-1.example.com:9096"]
      secret_arn                  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"
      secret_kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/kafka"
      secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:17"
      ca_certificate              = "/var/task/ca.pem"
      ca_secret_arn               = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ca-AbCdEf"
      ca_secret_kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/ca"
    }

    vpc = {
      id            = "vpc-1"
      subnet_ids    = ["subnet-1"]
      kafka_cidrs   = ["10.0.0.0/24"]
      secrets_cidrs = ["10.0.9.0/24"]
      egress_cidrs  = ["0.0.0.0/0"]
    }

    push = { subnet_ids = ["subnet-2"], security_group_id = "sg-mapping" }
  }

  override_resource {
    target = module.kafka_access.aws_security_group.egress
    values = { id = "sg-egress" }
  }

  assert {
    condition     = output.egress_security_group_id == "sg-egress"
    error_message = "There is no way out."
  }
}

run "instances" {
  variables {
    contract = "examples/managed-instances/gateway.yaml"
    packages = "${var.packages}/../managed-instances"
    kafka    = { auth = "none", brokers = ["b-1:9092"] }
    vpc      = { id = "vpc-1", subnet_ids = ["subnet-1"], kafka_cidrs = ["10.0.0.0/24"] }

    functions = {
      connect    = { package = "../gateway.yaml" }
      disconnect = { package = "../gateway.yaml" }
      message = {
        package   = "../gateway.yaml"
        instances = { capacity_provider_arn = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:c", memory_gib_per_vcpu = 4 }
      }
    }
  }

  assert {
    condition     = length(output.role_arns) == 3
    error_message = jsonencode(output.role_arns)
  }
}
