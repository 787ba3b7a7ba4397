# How functions and the event source mapping connect to Kafka, and what they may do there.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name    = "sluice"
  kafka   = { auth = "none", brokers = ["b-1.example.com:9092", "b-2.example.com:9092"] }
  writers = { message = ["chat.messages", "ws.messages"], goodbye = [] }
  push    = { topics = ["ws.outbound"], dead_letter = "ws.dead", consumer_group_id = "sluice-push" }

  secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"
  layer  = "arn:aws:lambda:eu-west-1:015030872274:layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:17"
}

run "none" {
  command = plan

  module {
    source = "./modules/kafka-access"
  }

  assert {
    condition     = jsonencode(output.environment) == jsonencode({ KAFKA_BROKERS = "b-1.example.com:9092,b-2.example.com:9092", KAFKA_SECURITY_PROTOCOL = "PLAINTEXT" })
    error_message = jsonencode(output.environment)
  }

  assert {
    condition     = jsonencode(output.writer_statements) == jsonencode({ message = [] }) && length(output.reader_statements) == 0 && length(output.source_access) == 0 && length(output.layers) == 0
    error_message = "A cluster without authentication needs no permission."
  }

  assert {
    condition     = length(aws_security_group.this) == 0 && output.security_group_id == null
    error_message = "There is no VPC, but a security group."
  }
}

run "tls" {
  command = plan

  module {
    source = "./modules/kafka-access"
  }

  variables {
    kafka = { auth = "tls", brokers = ["b:9094"], ca_certificate = "/var/task/ca.pem", ca_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ca-AbCdEf", ca_secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k" }
  }

  assert {
    condition     = jsonencode(output.environment) == jsonencode({ KAFKA_BROKERS = "b:9094", KAFKA_SECURITY_PROTOCOL = "SSL", KAFKA_SSL_CA = "/var/task/ca.pem" })
    error_message = jsonencode(output.environment)
  }

  assert {
    condition     = [for access in output.source_access : access.type] == ["SERVER_ROOT_CA_CERTIFICATE"] && [for statement in output.reader_statements : jsondecode(statement).Resource] == [var.kafka.ca_secret_arn, var.kafka.ca_secret_kms_key_arn] && jsondecode(output.reader_statements[1]).Condition.StringEquals["kms:EncryptionContext:SecretARN"] == var.kafka.ca_secret_arn
    error_message = jsonencode(output.reader_statements)
  }
}

run "plain" {
  command = plan

  module {
    source = "./modules/kafka-access"
  }

  variables {
    kafka = { auth = "plain", brokers = ["b:9092"], secret_arn = var.secret, secrets_extension_layer_arn = var.layer }
  }

  assert {
    condition     = jsonencode(output.environment) == jsonencode({ KAFKA_BROKERS = "b:9092", KAFKA_SECURITY_PROTOCOL = "SASL_SSL", KAFKA_SASL_MECHANISM = "PLAIN", KAFKA_SASL_SECRET_ARN = var.secret })
    error_message = jsonencode(output.environment)
  }

  assert {
    condition     = [for statement in output.writer_statements.message : jsondecode(statement)] == [{ Sid = "KafkaSecret", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = var.secret }]
    error_message = jsonencode(output.writer_statements)
  }

  assert {
    condition     = [for access in output.source_access : "${access.type} ${access.uri}"] == ["BASIC_AUTH ${var.secret}"] && one(output.layers) == var.layer
    error_message = jsonencode(output.source_access)
  }
}

run "scram" {
  command = plan

  module {
    source = "./modules/kafka-access"
  }

  variables {
    kafka = { auth = "scram", brokers = ["b:9096"], secret_arn = var.secret, secrets_extension_layer_arn = var.layer, secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k" }
  }

  assert {
    condition     = output.environment.KAFKA_SASL_MECHANISM == "SCRAM-SHA-512" && output.source_access[0].type == "SASL_SCRAM_512_AUTH"
    error_message = jsonencode(output.environment)
  }

  assert {
    condition     = [for statement in output.writer_statements.message : jsondecode(statement).Action[0]] == ["secretsmanager:GetSecretValue", "kms:Decrypt"] && jsondecode(output.writer_statements.message[1]).Condition.StringEquals["kms:EncryptionContext:SecretARN"] == var.secret
    error_message = jsonencode(output.writer_statements)
  }
}

run "scram_of_256_bits" {
  command = plan

  module {
    source = "./modules/kafka-access"
  }

  variables {
    kafka = { auth = "scram", mechanism = "SCRAM-SHA-256", brokers = ["b:9096"], secret_arn = var.secret, secrets_extension_layer_arn = var.layer }
  }

  assert {
    condition     = output.environment.KAFKA_SASL_MECHANISM == "SCRAM-SHA-256" && output.source_access[0].type == "SASL_SCRAM_256_AUTH"
    error_message = jsonencode(output.environment)
  }
}

run "msk_iam_in_a_vpc" {
  module {
    source = "./modules/kafka-access"
  }

  variables {
    kafka = { auth = "msk_iam", brokers = ["b-1:9098", "b-2:9098"], msk = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" } }
    vpc   = { id = "vpc-1", kafka_security_group_id = "sg-kafka" }
  }

  assert {
    condition     = jsonencode(output.environment) == jsonencode({ KAFKA_BROKERS = "b-1:9098,b-2:9098", KAFKA_SECURITY_PROTOCOL = "SASL_SSL", KAFKA_SASL_MECHANISM = "AWS_MSK_IAM" })
    error_message = jsonencode(output.environment)
  }

  assert {
    condition = jsonencode([for statement in output.writer_statements.message : jsondecode(statement)]) == jsonencode([
      { Sid = "KafkaConnect", Effect = "Allow", Action = ["kafka-cluster:Connect"], Resource = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" },
      { Sid = "KafkaWrite", Effect = "Allow", Action = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], Resource = ["arn:aws:kafka:eu-west-1:123456789012:topic/c/u-1/chat.messages", "arn:aws:kafka:eu-west-1:123456789012:topic/c/u-1/ws.messages"] },
    ])
    error_message = jsonencode(output.writer_statements)
  }

  assert {
    condition     = join(" ", flatten([for statement in output.reader_statements : jsondecode(statement).Sid])) == "KafkaConnect KafkaSettings KafkaRead KafkaGroup KafkaDeadLetter MskCluster MskBrokers"
    error_message = jsonencode(output.reader_statements)
  }

  assert {
    condition     = length(output.source_access) == 0
    error_message = "With IAM the role is enough."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.kafka_group : "${rule.from_port} ${rule.to_port} ${rule.referenced_security_group_id}"] == ["9098 9098 sg-kafka"] && [for rule in aws_vpc_security_group_ingress_rule.kafka_group : "${rule.security_group_id} ${rule.from_port} ${rule.referenced_security_group_id}"] == ["sg-kafka 9098 sg-0123456789abcdef0"]
    error_message = jsonencode(aws_vpc_security_group_egress_rule.kafka_group)
  }
}

run "address_ranges_in_a_vpc" {
  module {
    source = "./modules/kafka-access"
  }

  variables {
    kafka = { auth = "scram", brokers = ["b-1:9096", "b-2:9097"], secret_arn = var.secret, secrets_extension_layer_arn = var.layer }
    vpc   = { id = "vpc-1", kafka_cidrs = ["10.0.0.0/24"], secrets_cidrs = ["10.0.9.0/24"] }
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.kafka : "${rule.from_port} ${rule.to_port} ${rule.cidr_ipv4}"] == ["9096 9097 10.0.0.0/24"] && length(aws_vpc_security_group_ingress_rule.kafka_group) == 0
    error_message = jsonencode(aws_vpc_security_group_egress_rule.kafka)
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.secrets : "${rule.from_port} ${rule.cidr_ipv4}"] == ["443 10.0.9.0/24"]
    error_message = jsonencode(aws_vpc_security_group_egress_rule.secrets)
  }

  assert {
    condition     = output.egress_security_group_id == null && length(aws_vpc_security_group_egress_rule.https) == 0
    error_message = "There is a way out that nobody asked for."
  }
}

run "a_way_out_is_a_group_of_its_own" {
  module {
    source = "./modules/kafka-access"
  }

  variables {
    vpc = { id = "vpc-1", kafka_cidrs = ["10.0.0.0/24"], egress_cidrs = ["0.0.0.0/0"] }
  }

  override_resource {
    target = aws_security_group.egress
    values = { id = "sg-egress" }
  }

  assert {
    condition     = output.egress_security_group_id == "sg-egress" && [for rule in aws_vpc_security_group_egress_rule.https : "${rule.security_group_id} ${rule.from_port} ${rule.to_port} ${rule.cidr_ipv4}"] == ["sg-egress 443 443 0.0.0.0/0"]
    error_message = jsonencode(aws_vpc_security_group_egress_rule.https)
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.kafka : rule.security_group_id == output.security_group_id])
    error_message = "The functions that write have another's way out."
  }
}
