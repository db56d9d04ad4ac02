// Package ops is the part of the operations listener that needs a token, /-/: it lists connections, those that ended too,
// ends them, follows their frames, and changes the configuration.
//
// [New] makes it on a [Node], what it needs of the server. The server tells it of ends ([API.Ended]) and, while somebody
// follows, of frames ([Traces.Frame]).
package ops
