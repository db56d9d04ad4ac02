// Command bare is a WebSocket server as many are written with gin and gorilla/websocket, to compare with: a handler that
// blocks, a goroutine that writes from a channel, a ticker that pings. It has no protocol, no sessions and no log. Messages
// are a letter and what it is about: eTEXT comes back, jROOM enters the one room there is, pTEXT goes to all in it.
package main

import (
	"flag"
	"fmt"
	"net/http"
	_ "net/http/pprof" //nolint:gosec // on an address of its own
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address for clients")
	ops := flag.String("ops", "127.0.0.1:8081", "address of profiles")
	secret := flag.String("secret", "", "of tokens, HS256")
	flag.Parse()
	failed := make(chan error, 2)
	go func() { failed <- http.ListenAndServe(*ops, nil) }() //nolint:gosec // for a bench
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	s := &server{secret: []byte(*secret), room: map[*client]bool{}}
	r.GET("/ws", s.serve)
	go func() { failed <- r.Run(*addr) }()
	fmt.Fprintln(os.Stderr, "bare:", <-failed)
	os.Exit(1)
}

type server struct {
	secret []byte
	mu     sync.RWMutex
	room   map[*client]bool // guarded by mu
}

type client struct {
	ws   *websocket.Conn
	send chan []byte
}

const heartbeat = 30 * time.Second

func (s *server) serve(g *gin.Context) {
	text, _ := strings.CutPrefix(g.GetHeader("Authorization"), "Bearer ")
	if _, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return s.secret, nil }, jwt.WithValidMethods([]string{"HS256"})); err != nil {
		g.String(http.StatusUnauthorized, err.Error())
		return
	}
	var up websocket.Upgrader
	ws, err := up.Upgrade(g.Writer, g.Request, nil)
	if err != nil {
		return
	}
	c := &client{ws, make(chan []byte, 256)}
	go c.write()
	c.send <- []byte("w")
	s.read(c)
	s.mu.Lock()
	delete(s.room, c)
	s.mu.Unlock()
	close(c.send)
}

func (s *server) read(c *client) {
	c.ws.SetPongHandler(func(string) error { return c.ws.SetReadDeadline(time.Now().Add(3 * heartbeat)) })
	for {
		_, msg, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		switch msg[0] {
		case 'e':
			c.send <- msg[1:]
		case 'j':
			s.mu.Lock()
			s.room[c] = true
			s.mu.Unlock()
			c.send <- []byte("j")
		case 'p':
			s.publish(msg[1:])
		default:
			c.send <- fmt.Appendf(nil, "?%s", msg)
		}
	}
}

func (s *server) publish(msg []byte) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for c := range s.room {
		select {
		case c.send <- msg:
		default:
			_ = c.ws.Close() // too slow: its reader ends it
		}
	}
}

func (c *client) write() {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	defer func() {
		_ = c.ws.Close() // the reader ends, whatever it says
		for range c.send {
		}
	}()
	for {
		select {
		case msg, ok := <-c.send:
			if !ok || c.ws.WriteMessage(websocket.TextMessage, msg) != nil {
				return
			}
		case <-t.C:
			if c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
				return
			}
		}
	}
}
