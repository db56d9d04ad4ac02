// Package client is a Go client of the IM server: it connects over WebSocket, keeps the connection up, and sends and
// receives messages.
//
// A [Client] comes back by itself after a loss: with exponential back-off and full jitter, when the server says so
// where it does, and never where the server forbids it. It tells the server why the connection before ended, enters
// its rooms again, and gives a connection up when nothing is heard for two heartbeat intervals. Messages are not kept
// while there is no connection: sending fails then, and the caller decides.
package client
