# A server and a client on lib/http: other programs' clients and servers are their peers in tests and measurements.

HTTP_PROGRAMS := $(BUILD)/tests/http/server $(BUILD)/tests/http/client

$(HTTP_PROGRAMS): %: %.o $(BUILD)/lib.a
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@
