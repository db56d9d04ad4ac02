// Package syslog receives messages by the syslog protocols, over TCP, TLS and UDP, and reads them: RFC 5424 and, as far
// as it goes, RFC 3164.
//
// The protocols know no acknowledgement: what was received and not shipped when the process dies is lost, and nothing
// tells a sender. While the shipper takes no more, connections are not read, which stops their senders; of datagrams a
// bounded number waits, and what is more is dropped and counted.
package syslog
