/* nacelle-init FD [PID-NAMESPACE]: carried along by nacelle-oci, and started by it only. */
#include <stdio.h>

#include "runtime/init/part.h"

int main(int argc, char **argv) {
        if (argc == 2 || argc == 3)
                init_serve(argv[1], argv[2]);
        fputs(INIT_PROGRAM " is started by nacelle-oci\n", stderr);
        return 2;
}
