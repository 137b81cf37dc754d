# Demo, installation.

bindir     := $(PREFIX)/bin
libexecdir := $(PREFIX)/libexec/nacelle
mandir     := $(PREFIX)/share/man
unitdir    := /lib/systemd/system
sysusersdir := /usr/lib/sysusers.d
compdir    := $(PREFIX)/share/bash-completion/completions

demo: ## build, start an agent of its own, run a pod and show it
	$(install_packages) build demo
	@$(MAKE) -j2 all
	@BUILD=$(BUILD) contrib/demo/run

demo-api: ## build, start an API service of its own, show what kubectl does with it, and stop it
	$(install_packages) build demo
	$(build_peers) kubectl
	@$(MAKE) -j2 $(BUILD)/nacelle-api
	@BUILD=$(BUILD) contrib/demo/api $(PEERS)/kubectl

demo-cluster: ## build, make a cluster of two hosts in network namespaces, show what kubectl does with it, and remove it
	$(install_packages) build demo
	$(build_peers) kubectl
	@$(MAKE) -j2 all
	@BUILD=$(BUILD) contrib/demo/cluster $(PEERS)/kubectl

demo-stop: ## remove the demo's pods, agent and state
	@BUILD=$(BUILD) contrib/demo/stop

install: programs ## install programs, man pages, units and example configuration below DESTDIR
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(mandir)/man8 $(DESTDIR)$(mandir)/man1 \
	    $(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(compdir) $(DESTDIR)/etc/nacelle/manifests
	install -s -m 755 $(BUILD)/nacelle-agent $(BUILD)/nacelle-api $(BUILD)/nacelle $(wildcard $(BUILD)/nacelle-oci) $(DESTDIR)$(bindir)
	install -s -m 755 $(BUILD)/nacelle-shim $(BUILD)/nacelle-image $(DESTDIR)$(libexecdir)
	install -m 644 $(wildcard docs/man/*.8) $(DESTDIR)$(mandir)/man8
	install -m 644 $(wildcard docs/man/*.1) $(DESTDIR)$(mandir)/man1
	install -m 644 contrib/systemd/nacelle-agent.service contrib/systemd/nacelle-api.service $(DESTDIR)$(unitdir)
	sed -i 's,^ExecStart=/usr/bin/,ExecStart=$(bindir)/,' $(addprefix $(DESTDIR)$(unitdir)/,nacelle-agent.service nacelle-api.service)
	install -m 644 contrib/systemd/nacelle-api.sysusers $(DESTDIR)$(sysusersdir)/nacelle-api.conf
	install -m 644 contrib/completion/nacelle.bash $(DESTDIR)$(compdir)/nacelle
	[ -e $(DESTDIR)/etc/nacelle/api.yaml ] || install -m 644 contrib/api.yaml $(DESTDIR)/etc/nacelle
	[ -e $(DESTDIR)/etc/nacelle/config.yaml ] || install -m 644 contrib/config.yaml $(DESTDIR)/etc/nacelle

deb: ## build the Debian packages nacelle-agent and nacelle-api into BUILD/deb, and look at them with lintian
	$(install_packages) build deb
	@$(MAKE) -j2 programs
	@BUILD=$(BUILD) contrib/debian/build $(VERSION)
	@lintian --fail-on error --suppress-tags bad-distribution-in-changes-file $(BUILD)/deb/*.changes

.PHONY: demo demo-api demo-cluster demo-stop deb install
