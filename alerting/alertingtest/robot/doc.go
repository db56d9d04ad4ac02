// Package robot plays the providers that alerting calls by HTTP: WeCom's group robot, a webhook's receiver and an SMS
// gateway, on a loopback address. It answers as they do, errors included, and records what it has accepted.
//
// It is for tests and the demo; it is no provider, and keeps everything in memory.
package robot
