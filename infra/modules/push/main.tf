################################################################################
# Event source mapping
#
# Partial failures, retries and the topic for what fails need provisioned
# pollers, which also need no way from the cluster's network to Lambda.
# https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
################################################################################

resource "aws_lambda_event_source_mapping" "this" {
  function_name    = var.function_arn
  event_source_arn = try(var.msk.cluster_arn, null)
  kms_key_arn      = var.kms_key_arn

  topics                             = var.mapping.topics
  starting_position                  = var.mapping.starting_position
  batch_size                         = var.mapping.batch_size
  maximum_batching_window_in_seconds = var.mapping.batching_window_seconds

  function_response_types        = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error = var.mapping.bisect
  maximum_retry_attempts         = var.mapping.retry_attempts
  maximum_record_age_in_seconds  = var.mapping.record_age_seconds

  provisioned_poller_config {
    minimum_pollers   = var.pollers.minimum
    maximum_pollers   = var.pollers.maximum
    poller_group_name = var.pollers.group
  }

  metrics_config {
    metrics = ["EventCount", "ErrorCount", "KafkaMetrics"]
  }

  dynamic "destination_config" {
    for_each = var.mapping.dead_letter != null ? [var.mapping.dead_letter] : []

    content {
      on_failure {
        destination_arn = "kafka://${destination_config.value}"
      }
    }
  }

  dynamic "amazon_managed_kafka_event_source_config" {
    for_each = var.msk != null ? [var.consumer_group_id] : []

    content {
      consumer_group_id = amazon_managed_kafka_event_source_config.value
    }
  }

  dynamic "self_managed_event_source" {
    for_each = var.msk == null ? [join(",", var.brokers)] : []

    content {
      endpoints = { KAFKA_BOOTSTRAP_SERVERS = self_managed_event_source.value }
    }
  }

  dynamic "self_managed_kafka_event_source_config" {
    for_each = var.msk == null ? [var.consumer_group_id] : []

    content {
      consumer_group_id = self_managed_kafka_event_source_config.value
    }
  }

  dynamic "source_access_configuration" {
    for_each = var.source_access

    content {
      type = source_access_configuration.value.type
      uri  = source_access_configuration.value.uri
    }
  }
}
