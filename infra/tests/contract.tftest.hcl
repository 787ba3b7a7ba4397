# The contract: read with its defaults, or refused in the words of the functions' own reader.

run "every_refused_contract_is_told_exactly_what_is_wrong" {
  command = plan

  module {
    source = "./tests/fixtures/faults"
  }

  variables {
    folder = "tests/contracts/refused"
  }

  assert {
    condition     = length(output.expected) > 50
    error_message = "Only ${length(output.expected)} contracts were read."
  }

  assert {
    condition     = alltrue([for file, faults in output.expected : output.found[file] == faults])
    error_message = join("\n", flatten([for file, faults in output.expected : ["${file}:", "  found ${jsonencode(output.found[file])}", "  expected ${jsonencode(faults)}"] if output.found[file] != faults]))
  }
}

run "every_accepted_contract_has_no_fault" {
  command = plan

  module {
    source = "./tests/fixtures/faults"
  }

  variables {
    folder = "tests/contracts/accepted"
  }

  assert {
    condition     = length(output.found) == 3 && alltrue([for faults in output.found : length(faults) == 0])
    error_message = jsonencode(output.found)
  }
}

run "the_defaults_are_those_of_the_functions" {
  command = plan

  module {
    source = "./modules/contract"
  }

  variables {
    path     = "../gateway.yaml"
    packaged = "missing.yaml"
  }

  assert {
    condition     = output.contract.route_selection_expression == "$request.body.action"
    error_message = output.contract.route_selection_expression
  }

  assert {
    condition     = output.contract.functions.message.timeout_seconds == 10 && output.contract.functions.message.memory_size == 256
    error_message = jsonencode(output.contract.functions.message)
  }

  assert {
    condition     = output.contract.functions.message.topics == toset(["chat.messages", "ws.messages"]) && output.contract.functions.connect.topics == toset(["ws.connections"])
    error_message = jsonencode(output.contract.functions)
  }

  assert {
    condition     = join(" ", keys(output.contract.functions)) == "connect disconnect message push" && jsonencode(output.contract.push) == jsonencode({ batch_size = 100, batching_window_seconds = 0, bisect = false, dead_letter = null, function = "push", record_age_seconds = 60, retry_attempts = -1, starting_position = "LATEST", topics = ["ws.outbound"] })
    error_message = jsonencode(output.contract.push)
  }

  assert {
    condition     = output.contract.routes["$default"].timeout_millis == 29000 && output.contract.routes["$default"].route_response && !output.contract.routes["$connect"].route_response
    error_message = jsonencode(output.contract.routes)
  }
}

run "every_field_arrives" {
  command = plan

  module {
    source = "./modules/contract"
  }

  variables {
    path     = "tests/contracts/accepted/full.yaml"
    packaged = "missing.yaml"
  }

  assert {
    condition     = jsonencode(output.contract.routes["chat/say"]) == jsonencode({ burst_limit = 50, function = "message", rate_limit = 100.5, route_response = true, timeout_millis = 12000, topic = "chat.messages" })
    error_message = jsonencode(output.contract.routes["chat/say"])
  }

  assert {
    condition     = jsonencode(output.contract.push) == jsonencode({ batch_size = 50, batching_window_seconds = 1, bisect = true, dead_letter = "ws.outbound.dead", function = "push", record_age_seconds = 600, retry_attempts = 5, starting_position = "TRIM_HORIZON", topics = ["ws.outbound", "chat.outbound"] })
    error_message = jsonencode(output.contract.push)
  }

  assert {
    condition     = jsonencode(output.contract.authorizer) == jsonencode({ function = "authorizer", identity_sources = ["route.request.querystring.token", "route.request.header.Origin"], type = "REQUEST" })
    error_message = jsonencode(output.contract.authorizer)
  }

  assert {
    condition     = jsonencode(output.contract.stage) == jsonencode({ burst_limit = 700, rate_limit = 2000, variables = { colour = "blue" } })
    error_message = jsonencode(output.contract.stage)
  }

  assert {
    condition     = jsonencode(output.contract.functions.message) == jsonencode({ environment = { GREETING = "hello" }, max_concurrency = null, memory_size = 512, reserved = 50, timeout_seconds = 12, topics = ["chat.messages", "ws.messages"] })
    error_message = jsonencode(output.contract.functions.message)
  }

  assert {
    condition     = join(" ", keys(output.contract.functions)) == "authorizer connect disconnect goodbye message push"
    error_message = jsonencode(keys(output.contract.functions))
  }
}

run "a_wrong_contract_stops_the_plan" {
  command = plan

  module {
    source = "./modules/contract"
  }

  variables {
    path     = "tests/contracts/refused/unknown-field.yaml"
    packaged = "missing.yaml"
  }

  expect_failures = [output.contract]
}

run "text_that_is_no_yaml_stops_the_plan" {
  command = plan

  module {
    source = "./modules/contract"
  }

  variables {
    path     = "tests/contracts/refused/not-yaml.yaml"
    packaged = "missing.yaml"
  }

  expect_failures = [output.contract]
}

run "a_missing_contract_stops_the_plan" {
  command = plan

  module {
    source = "./modules/contract"
  }

  variables {
    path     = "nowhere.yaml"
    packaged = "missing.yaml"
  }

  expect_failures = [output.contract]
}

run "packages_of_another_contract_stop_the_plan" {
  command = plan

  module {
    source = "./modules/contract"
  }

  variables {
    path     = "../gateway.yaml"
    packaged = "tests/contracts/accepted/full.yaml"
  }

  expect_failures = [output.contract]
}
