################################################################################
# Environment: what the functions connect with
################################################################################

locals {
  protocols = {
    msk_iam = "SASL_SSL"
    scram   = "SASL_SSL"
    plain   = "SASL_SSL"
    tls     = "SSL"
    none    = "PLAINTEXT"
  }

  mechanisms = {
    msk_iam = "AWS_MSK_IAM"
    scram   = var.kafka.mechanism
    plain   = "PLAIN"
  }

  with_secret = contains(["scram", "plain"], var.kafka.auth)

  environment = merge(
    {
      KAFKA_BROKERS           = join(",", var.kafka.brokers)
      KAFKA_SECURITY_PROTOCOL = local.protocols[var.kafka.auth]
    },
    can(local.mechanisms[var.kafka.auth]) ? { KAFKA_SASL_MECHANISM = local.mechanisms[var.kafka.auth] } : {},
    local.with_secret ? { KAFKA_SASL_SECRET_ARN = var.kafka.secret_arn } : {},
    var.kafka.ca_certificate != null ? { KAFKA_SSL_CA = var.kafka.ca_certificate } : {},
  )

  layers = local.with_secret ? [var.kafka.secrets_extension_layer_arn] : []
}

################################################################################
# Permissions
# https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
################################################################################

locals {
  with_iam = var.kafka.auth == "msk_iam"
  cluster  = try(var.kafka.msk.cluster_arn, "")
  topic    = "${replace(local.cluster, ":cluster/", ":topic/")}/"
  group    = "${replace(local.cluster, ":cluster/", ":group/")}/"

  connect = {
    Sid      = "KafkaConnect"
    Effect   = "Allow"
    Action   = ["kafka-cluster:Connect"]
    Resource = local.cluster
  }

  # A secret, and the key that it is encrypted with where that is not AWS's own.
  secrets = {
    KafkaSecret    = { arn = local.with_secret ? var.kafka.secret_arn : null, key = var.kafka.secret_kms_key_arn }
    KafkaAuthority = { arn = var.kafka.ca_secret_arn, key = var.kafka.ca_secret_kms_key_arn }
  }

  secret_statements = { for name, secret in local.secrets : name => concat(
    secret.arn != null ? [jsonencode({
      Sid      = name
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = secret.arn
    })] : [],
    secret.arn != null && secret.key != null ? [jsonencode({
      Sid       = "${name}Key"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = secret.key
      Condition = { StringEquals = { "kms:EncryptionContext:SecretARN" = secret.arn } }
    })] : [],
  ) }

  writer_statements = { for function, topics in var.writers : function => concat(
    local.with_iam ? [jsonencode(local.connect), jsonencode({
      Sid      = "KafkaWrite"
      Effect   = "Allow"
      Action   = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]
      Resource = [for topic in topics : "${local.topic}${topic}"]
    })] : [],
    local.secret_statements.KafkaSecret,
  ) if length(topics) > 0 }
}

################################################################################
# Permissions of the event source mapping, which has the role of its function
# https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
################################################################################

locals {
  reader_statements = var.push == null ? [] : concat(
    # https://docs.aws.amazon.com/lambda/latest/dg/msk-cluster-auth.html
    local.with_iam ? [jsonencode(local.connect), jsonencode({
      Sid      = "KafkaSettings"
      Effect   = "Allow"
      Action   = ["kafka-cluster:DescribeClusterDynamicConfiguration"]
      Resource = local.cluster
      }), jsonencode({
      Sid      = "KafkaRead"
      Effect   = "Allow"
      Action   = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]
      Resource = [for topic in var.push.topics : "${local.topic}${topic}"]
      }), jsonencode({
      Sid      = "KafkaGroup"
      Effect   = "Allow"
      Action   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
      Resource = "${local.group}${var.push.consumer_group_id}"
    })] : [],
    local.with_iam && try(var.push.dead_letter, null) != null ? [jsonencode({
      Sid      = "KafkaDeadLetter"
      Effect   = "Allow"
      Action   = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]
      Resource = "${local.topic}${var.push.dead_letter}"
    })] : [],
    # GetBootstrapBrokers knows no resources.
    var.kafka.msk != null ? [jsonencode({
      Sid      = "MskCluster"
      Effect   = "Allow"
      Action   = ["kafka:DescribeCluster", "kafka:DescribeClusterV2"]
      Resource = local.cluster
      }), jsonencode({
      Sid      = "MskBrokers"
      Effect   = "Allow"
      Action   = ["kafka:GetBootstrapBrokers"]
      Resource = "*"
    })] : [],
    local.secret_statements.KafkaSecret,
    local.secret_statements.KafkaAuthority,
  )

  # MSK takes IAM and SCRAM of 512 bits only, and its own authority is known.
  source_access_types = {
    scram = var.kafka.mechanism == "SCRAM-SHA-256" ? "SASL_SCRAM_256_AUTH" : "SASL_SCRAM_512_AUTH"
    plain = "BASIC_AUTH"
  }

  source_access = concat(
    local.with_secret ? [{ type = local.source_access_types[var.kafka.auth], uri = var.kafka.secret_arn }] : [],
    var.kafka.ca_secret_arn != null ? [{ type = "SERVER_ROOT_CA_CERTIFICATE", uri = var.kafka.ca_secret_arn }] : [],
  )
}

################################################################################
# Network: from the functions to the brokers, to Secrets Manager, and to what else they call
################################################################################

locals {
  # Brokers that are made together with the functions have no names yet when it is
  # planned, so that no rule is made per port: one covers them all.
  ports = [for broker in var.kafka.brokers : tonumber(reverse(split(":", broker))[0])]

  https_port = 443

  # Address ranges where there are any, else a security group.
  by_range = toset(try(var.vpc.kafka_cidrs, []))
  by_group = var.vpc != null && length(local.by_range) == 0 ? 1 : 0

  egress = toset(try(var.vpc.egress_cidrs, []))
}

resource "aws_security_group" "this" {
  count = var.vpc == null ? 0 : 1

  name        = "${var.name}-functions"
  description = "Functions that write to Kafka"
  vpc_id      = var.vpc.id
}

resource "aws_vpc_security_group_egress_rule" "kafka" {
  for_each = local.by_range

  security_group_id = aws_security_group.this[0].id
  description       = "Kafka"
  ip_protocol       = "tcp"
  from_port         = min(local.ports...)
  to_port           = max(local.ports...)
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_egress_rule" "kafka_group" {
  count = local.by_group

  security_group_id            = aws_security_group.this[0].id
  description                  = "Kafka"
  ip_protocol                  = "tcp"
  from_port                    = min(local.ports...)
  to_port                      = max(local.ports...)
  referenced_security_group_id = var.vpc.kafka_security_group_id
}

resource "aws_vpc_security_group_ingress_rule" "kafka_group" {
  count = local.by_group

  security_group_id            = var.vpc.kafka_security_group_id
  description                  = "Functions of ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = min(local.ports...)
  to_port                      = max(local.ports...)
  referenced_security_group_id = aws_security_group.this[0].id
}

resource "aws_vpc_security_group_egress_rule" "secrets" {
  for_each = local.with_secret ? toset(try(var.vpc.secrets_cidrs, [])) : []

  security_group_id = aws_security_group.this[0].id
  description       = "Secrets Manager"
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
  cidr_ipv4         = each.value
}

# Functions that write need no other way out: it has a group of its own.
resource "aws_security_group" "egress" {
  count = length(local.egress) > 0 ? 1 : 0

  name        = "${var.name}-egress"
  description = "Functions that do not only write to Kafka"
  vpc_id      = var.vpc.id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.egress

  security_group_id = aws_security_group.egress[0].id
  description       = "HTTPS"
  ip_protocol       = "tcp"
  from_port         = local.https_port
  to_port           = local.https_port
  cidr_ipv4         = each.value
}
