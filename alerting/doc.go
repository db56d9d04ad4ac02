// Package alerting tells people what the detector found: the right ones, once.
//
// It reads state changes of alerts from the bus and passes them through small stages in line: keep, route, render,
// and write into the outbox. Only then the bus is told that they need not come again. Senders of package deliver take
// the outbox from there, one for each receiver. An alert that goes on firing enters the line again after the route's
// repeat_interval.
//
// What happens twice does no harm: an alert's document is written only by a newer state, and a notification's id
// follows from the alert, its state and the receiver. So the stage can be killed at any moment, and several alerters
// share the work by the consumer group. The one thing that cannot be known is whether a provider took a message whose
// answer never came or was never written down; such a message is sent again, with the same id.
//
// It leaves out what is wrong and when it is over: that is the detector's.
package alerting
