// A bot in Go: takes five kinds of events, and one of the old days, and writes each down as a line of JSON.
//
//	go run . webhook            Feishu, or a router, pushes to http://127.0.0.1:$PORT/webhook/event
//	go run . long-connection    it connects by itself
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/larksuite/oapi-sdk-go/v3/core/httpserverext"
	larkevent "github.com/larksuite/oapi-sdk-go/v3/event"
	"github.com/larksuite/oapi-sdk-go/v3/event/dispatcher"
	larkcorehr "github.com/larksuite/oapi-sdk-go/v3/service/corehr/v2"
	larkws "github.com/larksuite/oapi-sdk-go/v3/ws"
)

// What the SDK's models give of an event, and the whole document, unknown fields and all.
type line struct {
	Header   *larkevent.EventHeader `json:"header,omitempty"`
	Event    interface{}            `json:"event,omitempty"`
	Document json.RawMessage        `json:"document"`
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("say webhook or long-connection")
	}
	switch os.Args[1] {
	case "webhook":
		http.HandleFunc("/webhook/event", httpserverext.NewEventHandlerFunc(handlers()))
		log.Fatal(http.ListenAndServe("127.0.0.1:"+setting("PORT", "3000"), nil))
	case "long-connection":
		client := larkws.NewClient(os.Getenv("APP_ID"), os.Getenv("APP_SECRET"),
			larkws.WithEventHandler(handlers()),
			larkws.WithDomain(setting("DOMAIN", "https://open.feishu.cn")), // the one line that changes
		)
		log.Fatal(client.Start(context.Background()))
	default:
		log.Fatalf("%s: say webhook or long-connection", os.Args[1])
	}
}

func handlers() *dispatcher.EventDispatcher {
	events := dispatcher.NewEventDispatcher(os.Getenv("VERIFICATION_TOKEN"), os.Getenv("ENCRYPT_KEY"))
	note := func(request *larkevent.EventReq, header *larkevent.EventHeader, event interface{}) error {
		document, err := plain(events, request)
		if err != nil {
			return err
		}
		return write(line{header, event, document})
	}
	return events.
		OnP2JobChangeStatusUpdatedV2(func(_ context.Context, e *larkcorehr.P2JobChangeStatusUpdatedV2) error {
			return note(e.EventReq, e.EventV2Base.Header, e.Event)
		}).
		OnP2EmployeeDomainEventV2(func(_ context.Context, e *larkcorehr.P2EmployeeDomainEventV2) error {
			return note(e.EventReq, e.EventV2Base.Header, e.Event)
		}).
		OnP2ProcessApproverUpdatedV2(func(_ context.Context, e *larkcorehr.P2ProcessApproverUpdatedV2) error {
			return note(e.EventReq, e.EventV2Base.Header, e.Event)
		}).
		OnP2DepartmentUpdatedV2(func(_ context.Context, e *larkcorehr.P2DepartmentUpdatedV2) error {
			return note(e.EventReq, e.EventV2Base.Header, e.Event)
		}).
		OnP2ApprovalGroupsUpdatedV2(func(_ context.Context, e *larkcorehr.P2ApprovalGroupsUpdatedV2) error {
			return note(e.EventReq, e.EventV2Base.Header, e.Event)
		}).
		OnCustomizedEvent("approval_instance", func(_ context.Context, request *larkevent.EventReq) error {
			return note(request, nil, nil)
		})
}

// The SDK hands the request on as it came: from a webhook still encrypted.
func plain(events *dispatcher.EventDispatcher, request *larkevent.EventReq) (json.RawMessage, error) {
	var sealed larkevent.EventEncryptMsg
	if err := json.Unmarshal(request.Body, &sealed); err != nil || sealed.Encrypt == "" {
		return request.Body, err
	}
	text, err := events.DecryptEvent(context.Background(), sealed.Encrypt)
	return json.RawMessage(text), err
}

func write(line line) error {
	file, err := os.OpenFile(setting("EVENTS", "/dev/stdout"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("the event is not written down: %w", err) // not taken: it comes again
	}
	defer file.Close()
	return json.NewEncoder(file).Encode(line)
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
