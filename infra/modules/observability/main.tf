################################################################################
# What is watched
################################################################################

locals {
  minute = 60

  api_dimensions = { ApiId = var.api_id, Stage = var.stage_name }

  api_alarms = {
    integration-errors = {
      metric      = "IntegrationError"
      limit       = 0
      periods     = 1
      description = "A function failed or timed out: the client got no answer of its own. See its log."
    }
    execution-errors = {
      metric      = "ExecutionError"
      limit       = 0
      periods     = 1
      description = "API Gateway could not invoke a function, for lack of permission or capacity, or could not call back."
    }
    client-errors = {
      metric      = "ClientError"
      limit       = 100
      periods     = 5
      description = "Many requests are refused before they reach a function: authorization, throttling, or messages that are too big."
    }
  }

  function_alarms = merge([for name, function in var.functions : merge(
    {
      "${name}-errors" = {
        function    = function.function_name
        metric      = "Errors"
        statistic   = "Sum"
        limit       = 0
        periods     = 1
        description = "Invocations of ${name} fail: a crash, a timeout, or a start that was refused."
      }
      "${name}-throttles" = {
        function    = function.function_name
        metric      = "Throttles"
        statistic   = "Sum"
        limit       = 0
        periods     = 1
        description = "Invocations of ${name} are turned away: raise its reservedConcurrentExecutions or the account's quota."
      }
      "${name}-latency" = {
        function    = function.function_name
        metric      = "Duration"
        statistic   = "p99"
        limit       = function.latency_limit_millis
        periods     = 5
        description = "Of a hundred invocations of ${name} the slowest takes too long: Kafka is slow, or many starts are cold."
      }
    },
    # Of what is reserved; without a reservation the account's is the bound, and one alone has nothing to near it.
    try(function.reserved > 1, false) ? {
      "${name}-concurrency" = {
        function    = function.function_name
        metric      = "ConcurrentExecutions"
        statistic   = "Maximum"
        limit       = floor(function.reserved * 0.8)
        periods     = 3
        description = "${name} nears its reservedConcurrentExecutions."
      }
    } : {},
  )]...)

  mapping_alarms = var.mapping == null ? {} : {
    push-lag = {
      metric      = "SumOffsetLag"
      statistic   = "Maximum"
      limit       = var.mapping.lag_limit
      periods     = 5
      description = "Records for browsers wait in Kafka: more pollers, more partitions, or a faster function."
    }
    push-dead-letters = {
      metric      = "OnFailureDestinationDeliveredEventCount"
      statistic   = "Sum"
      limit       = 0
      periods     = 1
      description = "Records were given up and went to the topic for dead letters."
    }
    push-dropped = {
      metric      = "DroppedEventCount"
      statistic   = "Sum"
      limit       = 0
      periods     = 1
      description = "Records were given up, and there is no topic for them."
    }
  }

  actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

################################################################################
# Alarms
################################################################################

resource "aws_cloudwatch_metric_alarm" "api" {
  for_each = local.api_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApiGateway"
  metric_name         = each.value.metric
  dimensions          = local.api_dimensions
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.limit
  period              = local.minute
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = local.function_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { FunctionName = each.value.function }
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.limit
  period              = local.minute
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "mapping" {
  for_each = local.mapping_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/Lambda"
  metric_name         = each.value.metric
  dimensions          = { EventSourceMappingUUID = var.mapping.uuid }
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.limit
  period              = local.minute
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

################################################################################
# Dashboard
################################################################################

data "aws_region" "this" {}

locals {
  # The dashboard's grid is 24 wide.
  width  = 8
  height = 6

  api_metric      = { for name in ["ConnectCount", "MessageCount", "IntegrationError", "ExecutionError", "ClientError", "IntegrationLatency"] : name => ["AWS/ApiGateway", name, "ApiId", var.api_id, "Stage", var.stage_name] }
  function_metric = { for metric in ["Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"] : metric => [for function in values(var.functions) : ["AWS/Lambda", metric, "FunctionName", function.function_name]] }
  mapping_metric  = { for metric in ["SumOffsetLag", "OnFailureDestinationDeliveredEventCount", "DroppedEventCount", "InvokedEventCount"] : metric => ["AWS/Lambda", metric, "EventSourceMappingUUID", try(var.mapping.uuid, "")] }

  graphs = concat(
    [
      { title = "Connections and messages", stat = "Sum", metrics = [local.api_metric.ConnectCount, local.api_metric.MessageCount] },
      { title = "Errors at the gateway", stat = "Sum", metrics = [local.api_metric.IntegrationError, local.api_metric.ExecutionError, local.api_metric.ClientError] },
      { title = "Integration latency, p99", stat = "p99", metrics = [local.api_metric.IntegrationLatency] },
      { title = "Invocations", stat = "Sum", metrics = local.function_metric.Invocations },
      { title = "Failed invocations", stat = "Sum", metrics = concat(local.function_metric.Errors, local.function_metric.Throttles) },
      { title = "Duration, p99", stat = "p99", metrics = local.function_metric.Duration },
      { title = "Concurrency", stat = "Maximum", metrics = local.function_metric.ConcurrentExecutions },
    ],
    var.mapping == null ? [] : [
      { title = "Push: lag", stat = "Maximum", metrics = [local.mapping_metric.SumOffsetLag] },
      { title = "Push: records", stat = "Sum", metrics = [local.mapping_metric.InvokedEventCount, local.mapping_metric.OnFailureDestinationDeliveredEventCount, local.mapping_metric.DroppedEventCount] },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [for index, graph in local.graphs : {
      type   = "metric"
      x      = index % 3 * local.width
      y      = floor(index / 3) * local.height
      width  = local.width
      height = local.height
      properties = {
        title   = graph.title
        region  = data.aws_region.this.region
        view    = "timeSeries"
        stat    = graph.stat
        period  = local.minute
        metrics = graph.metrics
      }
    }]
  })
}
