package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"imwatch/client"
	imserver "imwatch/im-server"
	"imwatch/im-server/protocol"
)

// demoServer stands for your server. It takes a token for the name of its user.
func demoServer() (url string, stop func()) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	cfg := imserver.DefaultConfig()
	cfg.OpsAddr, cfg.Log.Path = "", ""
	cfg.JWT.Keys = []imserver.JWTKey{{Algorithm: "HS256", Secret: "not used: trusting takes every token"}}
	srv, err := imserver.New(cfg, imserver.Deps{Listener: listener, Authenticator: trusting{}, Stdout: io.Discard})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	return "ws://" + listener.Addr().String() + protocol.Path, func() {
		cancel()
		if err := <-ended; err != nil {
			panic(err)
		}
	}
}

func tokenOf(user string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return user, nil }
}

// Two users talk in a room.
func Example() {
	url, stop := demoServer()
	defer stop()
	ctx := context.Background()
	heard := make(chan string)
	bob, err := client.Dial(ctx, client.Options{
		URL: url, Token: tokenOf("bob"), Device: "bobs-phone",
		Handler: client.Handler{
			Message: func(m protocol.Message, _ protocol.Envelope) { heard <- m.From + " says " + string(m.Body) },
			Gap:     func(g client.Gap) { fmt.Println("messages may be missing:", g.Reason) }, // load them from your store
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bob.Close()
	ann, err := client.Dial(ctx, client.Options{URL: url, Token: tokenOf("ann")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ann.Close()
	ack, err := ann.Publish(ctx, protocol.Publish{To: "bob", Body: json.RawMessage(`"come to the lobby"`)})
	fmt.Println(<-heard, err, "given to", ack.Delivered)
	// Output: ann says "come to the lobby" <nil> given to 1
}

// What is sent while there is no server waits on the disk, for this process or the next.
func ExampleClient_Send() {
	dir, err := os.MkdirTemp("", "queue")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder of temporary files
	ctx := context.Background()
	o := client.Options{URL: "ws://127.0.0.1:1/ws/connect", Token: tokenOf("ann"), Persist: true, Queue: filepath.Join(dir, "queue")}
	offline, err := client.Dial(ctx, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = offline.Send(protocol.Publish{To: "bob", Body: json.RawMessage(`"later"`)}, nil)
	fmt.Println("queued:", offline.Queued(), err)
	_ = offline.Close() // as if the process had ended

	url, stop := demoServer()
	defer stop()
	o.URL = url
	again, err := client.Dial(ctx, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sent:", again.Flush(ctx), again.Queued())
	_ = again.Close() // it has no error to give
	// Output:
	// queued: 1 <nil>
	// sent: <nil> 0
}
