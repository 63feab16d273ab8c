/* Both ends of Modbus on libmodbus: built by the test that meets it.
 *
 * peer serve tcp PORT UNIT     serves holding registers over TCP
 * peer serve rtu DEVICE UNIT   the same on a serial line
 * peer read  tcp|rtu WHERE UNIT ADDRESS COUNT
 * peer write tcp|rtu WHERE UNIT ADDRESS VALUE...
 *
 * A server takes the first address and then its registers from standard input, says "listening PORT",
 * and afterwards prints every write that it takes as "FUNCTION ADDRESS COUNT".
 */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 65536, BAUD = 19200 };

static modbus_t *meet(const char *kind, const char *where, int unit)
{
    modbus_t *ctx = strcmp(kind, "tcp") == 0 ? modbus_new_tcp("127.0.0.1", atoi(where))
                                             : modbus_new_rtu(where, BAUD, 'N', 8, 1);
    modbus_set_slave(ctx, unit);
    return ctx;
}

static int fail(const char *what)
{
    printf("%s: %s\n", what, modbus_strerror(errno));
    return 1;
}

static void answer(modbus_t *ctx, modbus_mapping_t *map)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int offset = modbus_get_header_length(ctx), size;
    while ((size = modbus_receive(ctx, query)) >= 0) {
        if (size == 0)
            continue;
        if (query[offset] == 6 || query[offset] == 16) {
            int address = query[offset + 1] << 8 | query[offset + 2];
            int count = query[offset] == 6 ? 1 : query[offset + 3] << 8 | query[offset + 4];
            printf("%d %d %d\n", query[offset], address, count);
            fflush(stdout);
        }
        modbus_reply(ctx, query, size, map);
    }
}

static int serve(const char *kind, const char *where, int unit)
{
    static uint16_t registers[MOST];
    int base, count = 0, value;
    if (scanf("%d", &base) != 1)
        return 2;
    while (count < MOST && scanf("%d", &value) == 1)
        registers[count++] = (uint16_t)value;
    modbus_mapping_t *map = modbus_mapping_new_start_address(0, 0, 0, 0, base, count, 0, 0);
    memcpy(map->tab_registers, registers, count * sizeof *registers);
    modbus_t *ctx = meet(kind, where, unit);
    if (strcmp(kind, "rtu") == 0) {
        if (modbus_connect(ctx) < 0)
            return fail("connect");
        printf("listening 0\n");
        fflush(stdout);
        for (;;)
            answer(ctx, map);
    }
    int listener = modbus_tcp_listen(ctx, 4);
    if (listener < 0)
        return fail("listen");
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    getsockname(listener, (struct sockaddr *)&at, &length);
    printf("listening %d\n", ntohs(at.sin_port));
    fflush(stdout);
    while (modbus_tcp_accept(ctx, &listener) >= 0) {
        answer(ctx, map);
        modbus_close(ctx);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    int unit = atoi(argv[4]);
    if (strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3], unit);
    modbus_t *ctx = meet(argv[2], argv[3], unit);
    if (modbus_connect(ctx) < 0)
        return fail("connect");
    uint16_t values[MODBUS_MAX_READ_REGISTERS];
    int address = atoi(argv[5]);
    if (strcmp(argv[1], "read") == 0) {
        int count = atoi(argv[6]);
        if (modbus_read_registers(ctx, address, count, values) != count)
            return fail("read");
        for (int i = 0; i < count; i++)
            printf("%d ", values[i]);
        printf("\n");
    } else {
        int count = argc - 6;
        for (int i = 0; i < count; i++)
            values[i] = (uint16_t)atoi(argv[6 + i]);
        int done = count == 1 ? modbus_write_register(ctx, address, values[0])
                              : modbus_write_registers(ctx, address, count, values);
        if (done < 0)
            return fail("write");
        printf("written %d\n", count);
    }
    modbus_close(ctx);
    modbus_free(ctx);
    return 0;
}
