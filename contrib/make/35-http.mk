# What the tests of lib/http with other programs' clients and the measurements talk to.

$(BUILD)/tests/http/server: $(BUILD)/tests/http/server.o $(BUILD)/lib.a
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@
