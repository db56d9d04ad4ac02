// Package accept takes TCP connections of clients up to their first HTTP request: the PROXY protocol of proxies that are
// trusted, TLS, and bounds on connections that never come so far. net/http says nothing of a request that it refuses by
// itself, or that never comes; here each is told of.
package accept
