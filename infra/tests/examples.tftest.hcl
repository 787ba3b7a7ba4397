# Every example can be planned, with nothing there yet. `packages` comes from the command line: a folder of packages for each contract.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  packages                    = "${var.packages}/shipped"
  brokers                     = ["broker.example.com:9092"]
  secret_arn                  = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"
  secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:17"
  vpc_id                      = "vpc-1"
  subnet_ids                  = ["subnet-1", "subnet-2"]
  cluster_name                = "events"
  kafka_security_group_id     = "sg-kafka"
}

run "minimal" {
  command = plan

  module {
    source = "./examples/minimal"
  }
}

run "msk_serverless" {
  command = plan

  module {
    source = "./examples/msk-serverless"
  }

  assert {
    condition     = join(" ", keys(aws_msk_topic.this)) == "chat.messages ws.connections ws.messages ws.outbound"
    error_message = join(" ", keys(aws_msk_topic.this))
  }
}

run "msk_serverless_lets_the_mapping_read" {
  module {
    source = "./examples/msk-serverless"
  }

  variables {
    contract = "tests/contracts/full.yaml"
    packages = "${var.packages}/../full"
  }

  assert {
    condition     = [for rule in [aws_vpc_security_group_ingress_rule.mapping, aws_vpc_security_group_egress_rule.mapping] : "${rule.security_group_id} ${rule.from_port} ${rule.to_port} ${rule.referenced_security_group_id}"] == ["sg-0123456789abcdef0 9098 9098 sg-0123456789abcdef0", "sg-0123456789abcdef0 9098 9098 sg-0123456789abcdef0"]
    error_message = "The brokers' security group does not let its members reach the brokers."
  }

  assert {
    condition     = join(" ", keys(aws_msk_topic.this)) == "chat.messages chat.outbound ws.connections ws.messages ws.outbound ws.outbound.dead"
    error_message = join(" ", keys(aws_msk_topic.this))
  }
}

run "msk_provisioned_iam" {
  command = plan

  module {
    source = "./examples/msk-provisioned-iam"
  }
}

run "confluent_cloud_plain" {
  command = plan

  module {
    source = "./examples/confluent-cloud-plain"
  }

  variables {
    bootstrap_server = "pkc-1.confluent.cloud:9092"
    domain_name      = "ws.example.com"
    certificate_arn  = "arn:aws:acm:eu-west-1:123456789012:certificate/11112222-3333-4444-5555-666677778888"
  }

  assert {
    condition     = output.websocket_url == "wss://ws.example.com"
    error_message = output.websocket_url
  }
}

run "redpanda_scram" {
  command = plan

  module {
    source = "./examples/redpanda-scram"
  }

  variables {
    ca_certificate_file = "../gateway.yaml"
    ca_secret_arn       = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ca-AbCdEf"
    kafka_cidrs         = ["10.0.0.0/24"]
    secrets_cidrs       = ["10.0.9.0/24"]
  }

  assert {
    condition     = [for range, rule in aws_vpc_security_group_egress_rule.mapping : "${range} ${rule.from_port} ${rule.to_port}"] == ["10.0.0.0/24 9092 9092"]
    error_message = "The mapping does not reach the brokers."
  }
}

run "with_authorizer" {
  command = plan

  module {
    source = "./examples/with-authorizer"
  }

  variables {
    packages           = "${var.packages}/../with-authorizer"
    tickets_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tickets-AbCdEf"
  }
}

run "managed_instances" {
  command = plan

  module {
    source = "./examples/managed-instances"
  }

  variables {
    packages     = "${var.packages}/../managed-instances"
    egress_cidrs = ["0.0.0.0/0"]
  }
}
