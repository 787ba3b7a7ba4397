# The event source mapping, and what is watched.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "contract" {
  command = plan

  module {
    source = "./tests/fixtures/contract"
  }

  variables {
    packages = "${var.packages}/full"
  }
}

run "a_mapping_of_msk" {
  module {
    source = "./modules/push"
  }

  variables {
    function_arn      = "arn:aws:lambda:eu-west-1:123456789012:function:sluice-push:live"
    mapping           = run.contract.contract.push
    consumer_group_id = "sluice-push"
    brokers           = ["b-1:9098"]
    msk               = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" }
    source_access     = []
    pollers           = { minimum = 1, maximum = 4 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == var.msk.cluster_arn && length(aws_lambda_event_source_mapping.this.self_managed_event_source) == 0 && aws_lambda_event_source_mapping.this.amazon_managed_kafka_event_source_config[0].consumer_group_id == "sluice-push"
    error_message = "The mapping does not read from MSK."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.topics == toset(["chat.outbound", "ws.outbound"]) && aws_lambda_event_source_mapping.this.batch_size == 50 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 1 && aws_lambda_event_source_mapping.this.starting_position == "TRIM_HORIZON"
    error_message = "The mapping does not read what the contract says."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_retry_attempts == 5 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 600 && aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The mapping does not fail as the contract says."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "kafka://ws.outbound.dead" && aws_lambda_event_source_mapping.this.provisioned_poller_config[0].maximum_pollers == 4
    error_message = "What fails goes elsewhere."
  }
}

run "a_mapping_of_brokers" {
  module {
    source = "./modules/push"
  }

  variables {
    function_arn      = "arn:aws:lambda:eu-west-1:123456789012:function:sluice-push:live"
    mapping           = merge(run.contract.contract.push, { dead_letter = null })
    consumer_group_id = "sluice-push"
    brokers           = ["b-1:9092", "b-2:9092"]
    source_access     = [{ type = "BASIC_AUTH", uri = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf" }, { type = "VPC_SUBNET", uri = "subnet:subnet-1" }]
    pollers           = { minimum = 1, maximum = 1 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == null && aws_lambda_event_source_mapping.this.self_managed_event_source[0].endpoints.KAFKA_BOOTSTRAP_SERVERS == "b-1:9092,b-2:9092" && aws_lambda_event_source_mapping.this.self_managed_kafka_event_source_config[0].consumer_group_id == "sluice-push"
    error_message = "The mapping does not read from the brokers."
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.this.destination_config) == 0 && sort([for access in aws_lambda_event_source_mapping.this.source_access_configuration : access.type]) == tolist(["BASIC_AUTH", "VPC_SUBNET"])
    error_message = jsonencode(aws_lambda_event_source_mapping.this.source_access_configuration)
  }
}

run "everything_that_can_fail_has_an_alarm" {
  module {
    source = "./modules/observability"
  }

  variables {
    name            = "sluice"
    api_id          = "a1b2c3d4e5"
    stage_name      = "live"
    alarm_topic_arn = "arn:aws:sns:eu-west-1:123456789012:alarms"
    functions = {
      message = { function_name = "sluice-message", latency_limit_millis = 2000, reserved = 50 }
      push    = { function_name = "sluice-push", latency_limit_millis = 5000 }
    }
    mapping = { uuid = "11112222-3333-4444-5555-666677778888", lag_limit = 1000 }
  }

  assert {
    condition     = join(" ", keys(output.alarm_arns)) == "sluice-client-errors sluice-execution-errors sluice-integration-errors sluice-message-concurrency sluice-message-errors sluice-message-latency sluice-message-throttles sluice-push-dead-letters sluice-push-dropped sluice-push-errors sluice-push-lag sluice-push-latency sluice-push-throttles"
    error_message = join(" ", keys(output.alarm_arns))
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.api), values(aws_cloudwatch_metric_alarm.function), values(aws_cloudwatch_metric_alarm.mapping)) : alarm.alarm_actions == toset([var.alarm_topic_arn]) && alarm.ok_actions == toset([var.alarm_topic_arn])])
    error_message = "An alarm notifies nobody."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.function["message-latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.function["message-latency"].statistic == null && aws_cloudwatch_metric_alarm.function["message-concurrency"].threshold == 40
    error_message = "The slowest of a hundred is not what is watched."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.x + widget.width <= 24 && length(widget.properties.metrics) > 0 && widget.properties.region == "eu-west-1"]) && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 9
    error_message = aws_cloudwatch_dashboard.this.dashboard_body
  }
}

run "without_a_topic_alarms_only_show" {
  module {
    source = "./modules/observability"
  }

  variables {
    name       = "sluice"
    api_id     = "a1b2c3d4e5"
    stage_name = "live"
    functions  = { message = { function_name = "sluice-message", latency_limit_millis = 2000 } }
  }

  assert {
    condition     = length(output.alarm_arns) == 6 && alltrue([for alarm in aws_cloudwatch_metric_alarm.function : length(coalesce(alarm.alarm_actions, [])) == 0])
    error_message = join(" ", keys(output.alarm_arns))
  }
}

run "a_reservation_of_one_cannot_be_neared" {
  module {
    source = "./modules/observability"
  }

  variables {
    name       = "sluice"
    api_id     = "a1b2c3d4e5"
    stage_name = "live"
    functions  = { for name, reserved in { none = 0, one = 1, two = 2 } : name => { function_name = name, latency_limit_millis = 2000, reserved = reserved } }
  }

  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.function : "${name} ${alarm.threshold}" if alarm.metric_name == "ConcurrentExecutions"] == ["two-concurrency 1"]
    error_message = join(" ", keys(aws_cloudwatch_metric_alarm.function))
  }
}
