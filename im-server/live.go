package imserver

// conf gives the configuration as it is now. It may change while the server runs, so what must fit together is read from
// one result. Nobody changes what it points to.
func (s *Server) conf() *Config { return s.live.Load() }
