// Package silence says which alerts people do not want to hear of for a while: for one stretch of time, or every week
// at the same hours of a zone. Time is an argument; what is kept and who may change it is not decided here.
package silence
