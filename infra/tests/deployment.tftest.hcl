# A new deployment is made when, and only when, what the stage serves has changed.

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

run "what_the_stage_serves_makes_a_deployment" {
  command = plan

  module {
    source = "./tests/fixtures/deployments"
  }

  variables {
    contract = run.contract.contract

    routes = {
      function       = { function = "goodbye" }
      timeout        = { timeout_millis = 12001 }
      route_response = { route_response = false }
    }

    sections = {
      selection        = { route_selection_expression = "$request.body.action" }
      fewer_routes     = { routes = { for key, route in run.contract.contract.routes : key => route if key != "bye" } }
      iam              = { authorizer = { type = "AWS_IAM", function = null, identity_sources = [] } }
      no_authorizer    = { authorizer = null }
      identity_sources = { authorizer = merge(run.contract.contract.authorizer, { identity_sources = ["route.request.header.Origin"] }) }
    }

    names = { functions = "other" }
  }

  assert {
    condition     = length(output.triggers) == 10 && length(distinct(values(output.triggers))) == 10
    error_message = jsonencode(output.triggers)
  }
}

run "what_it_does_not_serve_makes_none" {
  command = plan

  module {
    source = "./tests/fixtures/deployments"
  }

  variables {
    contract = run.contract.contract

    routes = {
      topic = { topic = "other" }
      rate  = { rate_limit = 5 }
      burst = { burst_limit = null }
    }

    sections = {
      stage            = { stage = { rate_limit = 1, burst_limit = 1, variables = { colour = "red" } } }
      functions        = { functions = {} }
      push             = { push = null }
      order_of_sources = { authorizer = merge(run.contract.contract.authorizer, { identity_sources = reverse(run.contract.contract.authorizer.identity_sources) }) }
    }

    names = {}
  }

  assert {
    condition     = length(output.triggers) == 8 && length(distinct(values(output.triggers))) == 1
    error_message = jsonencode(output.triggers)
  }
}
