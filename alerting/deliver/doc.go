// Package deliver sends what stands in the outbox: one queue and one sender for each receiver.
//
// A sender takes the notification that is due first, claims its entry, makes one attempt, and writes down the answer
// before it takes the next. What may succeed later is tried again with growing pauses until a deadline. States of one
// alert go out in their order. Calls are paced to the provider's budget, and a provider that asks to wait is left
// alone for that long.
//
// It leaves out what is told to whom, and every provider's particulars.
package deliver
