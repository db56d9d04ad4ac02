package rule

// ValidID says whether a text can be the id of a rule: at most 128 letters, digits, dots, underscores and hyphens,
// beginning with a letter or digit.
func ValidID(id string) bool { return idForm.MatchString(id) }
