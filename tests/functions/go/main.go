// A Lambda function in Go, on AWS's own library for it.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// What the client is answered: what the library has made of the event and of the invocation.
type answer struct {
	Body         string `json:"body"`
	ConnectionID string `json:"connectionId"`
	RouteKey     string `json:"routeKey"`
	RequestID    string `json:"requestId"`
	ARN          string `json:"arn"`
	HasDeadline  bool   `json:"hasDeadline"`
	PID          int    `json:"pid"`
}

func handle(ctx context.Context, event events.APIGatewayWebsocketProxyRequest) (events.APIGatewayProxyResponse, error) {
	invocation, _ := lambdacontext.FromContext(ctx)
	_, hasDeadline := ctx.Deadline()
	if event.Body == "panic" {
		panic("told to")
	}
	body, err := json.Marshal(answer{
		Body:         event.Body,
		ConnectionID: event.RequestContext.ConnectionID,
		RouteKey:     event.RequestContext.RouteKey,
		RequestID:    invocation.AwsRequestID,
		ARN:          invocation.InvokedFunctionArn,
		HasDeadline:  hasDeadline,
		PID:          os.Getpid(),
	})
	return events.APIGatewayProxyResponse{StatusCode: 200, Body: string(body)}, err
}

func main() {
	lambda.Start(handle)
}
