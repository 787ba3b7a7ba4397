output "alarm_arns" {
  description = "The ARNs of the alarms, by their names."
  value       = { for alarm in concat(values(aws_cloudwatch_metric_alarm.api), values(aws_cloudwatch_metric_alarm.function), values(aws_cloudwatch_metric_alarm.mapping)) : alarm.alarm_name => alarm.arn }
}

output "dashboard_name" {
  description = "The dashboard's name."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
