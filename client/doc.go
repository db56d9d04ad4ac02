// Package client connects to the IM server. It comes back after a loss, with the session it had, when and as often as the
// server's close code and hints allow; keeps what is sent in a queue until the server has acknowledged it, on the disk if
// a file is named; and gives each received message once.
package client
