// Package oidc says whose a token of an OpenID Connect provider is, and in which role: the provider is found by discovery, its
// keys are asked again from time to time and when a token names one that is not known. It keeps no session and knows no
// browser: callers bring ID tokens or access tokens (JWT) that they got from the provider.
package oidc
