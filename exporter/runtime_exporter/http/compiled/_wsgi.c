/* An ordinary request by WSGI, from its beginning to its end: a class of middlewares whose `__call__` is compiled.

   `plain` makes it of WSGIMiddleware (http/wsgi.py), `django` of DjangoMiddleware (http/wsgi_django.py), whose own `__call__` it
   does again, with the same objects. What is out of the ordinary before a request has begun gets that `__call__`; what is so
   later, the functions that it would call then. While something is looked up Python code may run (a property, a clock), and other
   threads: so what is used is held, and nothing is changed yet. */
#include "ordinary.h"

#define NAMES(DO)                                                                                                              \
    DO(app) DO(_methods) DO(_werkzeug) DO(REQUEST_METHOD) DO(start_response) DO(take) DO(fail) DO(url_rule) DO(rule)           \
    DO(_callbacks) DO(gi_code) DO(response) DO(_resource_closers) DO(resolver_match) DO(route) DO(status_code)

/* What a class of middlewares needs: of the module there is one for each of the two. */
typedef struct {
    PyObject *interpreted; /* the `__call__` of its base */
    PyObject *key;         /* where it leaves its mark in an environ */
    PyObject *whole;       /* the set of types of bodies that are there as a whole */
    Classes known;
} Way;

typedef struct {
    Way plain, django;
    /* Of `plain`: the class of exchanges, the `start_response` of its base, its slots, and Method's `known` and `traced`. */
    PyTypeObject *exchange;
    PyObject *start;
    Py_ssize_t server_start, method, where, told, series, ended_as, finished, started, by_route, traced;
    /* Of `django`: what counts a request that failed, or whose body is not ordinary, and DjangoMethod's `routes` and `kind`. */
    PyObject *fail_django, *take_django;
    Py_ssize_t routes, kind;
    PyObject *request; /* "werkzeug.request" */
#define DECLARE(name) PyObject *text_##name;
    NAMES(DECLARE)
} State;

/* A request that has begun. All are held. */
typedef struct {
    PyObject *app, *environ, *method, *began;
} Request;

/* Return a value of a dict, a new reference; NULL where there is none, or with an exception. */
static PyObject *
get(PyObject *dict, PyObject *key)
{
    PyObject *value = dict != NULL && key != NULL && PyDict_CheckExact(dict) ? PyDict_GetItemWithError(dict, key) : NULL;
    return Py_XNewRef(value);
}

/* Return the series that a table leads to from a route and a status, a new reference, if it is known. */
static PyObject *
find_series(const Way *way, PyObject *table, PyObject *route, PyObject *status)
{
    PyObject *by_status = get(table, route), *series = get(by_status, status);
    Py_XDECREF(by_status);
    if (series != NULL && !Py_IS_TYPE(series, way->known.series))
        Py_CLEAR(series);
    return series;
}

/* Return what is prepared for the method of a request; NULL where nothing is, or another middleware counts it. */
static PyObject *
find_method(const State *state, const Way *way, PyObject *middleware, PyObject *environ)
{
    if (!PyDict_CheckExact(environ) || PyDict_Contains(environ, way->key) != 0)
        return NULL;
    PyObject *name = get(environ, state->text_REQUEST_METHOD);
    PyObject *methods = name == NULL ? NULL : PyObject_GetAttr(middleware, state->text__methods);
    PyObject *method = get(methods, name);
    Py_XDECREF(methods);
    Py_XDECREF(name);
    if (method != NULL && !Py_IS_TYPE(method, way->known.method))
        Py_CLEAR(method);
    return method;
}

static void
release(Request *request)
{
    Py_CLEAR(request->app);
    Py_CLEAR(request->environ);
    Py_CLEAR(request->method);
    Py_CLEAR(request->began);
}

/* Look up all that a request needs, and the time; 0 where it is not ordinary. */
static int
arrive(const State *state, const Way *way, PyObject *middleware, PyObject *args, PyObject *names, Request *request)
{
    if (PyTuple_GET_SIZE(args) != 2 || (names != NULL && PyDict_GET_SIZE(names) != 0))
        return 0;
    request->environ = Py_NewRef(PyTuple_GET_ITEM(args, 0));
    request->method = find_method(state, way, middleware, request->environ);
    if (request->method != NULL)
        request->app = PyObject_GetAttr(middleware, state->text_app);
    if (request->app != NULL)
        request->began = read_clock(&way->known, request->method);
    return request->began != NULL;
}

/* Begin a request: with a mark in its environ it is active; 0 where it cannot be. */
static int
begin(const Way *way, const Request *request, PyObject *mark)
{
    if (PyDict_SetItem(request->environ, way->key, mark) < 0)
        return 0;
    if (raise_active(&way->known, request->method))
        return 1;
    (void)PyDict_DelItem(request->environ, way->key);
    return 0;
}

/* Count a request whose body is there; 0 where it is not ordinary. */
static int
count(const Way *way, const Request *request, PyObject *series)
{
    PyObject *time = read_clock(&way->known, request->method);
    if (time == NULL)
        return 0;
    double now = PyFloat_AS_DOUBLE(time), seconds = now - PyFloat_AS_DOUBLE(request->began);
    Py_DECREF(time);
    PyObject *histogram = first_bucket(&way->known, series, seconds);
    if (histogram == NULL || !is_quiet(&way->known, series, now))
        return 0;
    Py_INCREF(histogram);
    /* Whoever counts a request otherwise does not need its mark. */
    int counted = PyDict_DelItem(request->environ, way->key) == 0
                  && count_first(&way->known, request->method, histogram, seconds);
    Py_DECREF(histogram);
    return counted;
}

/* Let Python do what begins here. */
static PyObject *
interpret(const Way *way, PyObject *middleware, PyObject *args, PyObject *names)
{
    PyObject *call = PyMethod_New(way->interpreted, middleware);
    if (call == NULL)
        return NULL;
    PyObject *body = PyObject_Call(call, args, names);
    Py_DECREF(call);
    return body;
}

static PyObject *
ask(PyObject *app, PyObject *environ, PyObject *start_response)
{
    PyObject *args[] = {NULL, environ, start_response};
    return PyObject_Vectorcall(app, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* Return what the application has raised, with its traceback. */
static PyObject *
take_raised(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(error, traceback);
    Py_XDECREF(traceback);
    Py_XDECREF(type);
    return error;
#endif
}

/* Raise again what the application has raised; `counted` is what came of counting it, NULL where that has raised something. */
static PyObject *
raise_again(PyObject *error, PyObject *counted)
{
    if (counted == NULL) {
        Py_DECREF(error);
        return NULL;
    }
    Py_DECREF(counted);
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(error);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(error)), error, PyException_GetTraceback(error));
#endif
    return NULL;
}

/* Return the state of the module, NULL where the middleware is of another class by now: whoever has got its `__call__` before, as a
   thread that is about to call it, calls this all the same. */
static const State *
state_of(PyObject *middleware)
{
    const State *state = PyType_GetModuleState(Py_TYPE(middleware));
    if (state == NULL)
        PyErr_Clear();
    return state;
}

/* -- Django's own handler -- */

/* Return the series of a response, a new reference: by its request, which is the last to be closed with it. */
static PyObject *
find_django_series(const State *state, PyObject *method, PyObject *response)
{
    PyObject *closers = PyObject_GetAttr(response, state->text__resource_closers), *match = NULL;
    if (closers != NULL && PyList_CheckExact(closers) && PyList_GET_SIZE(closers) > 0) {
        PyObject *close = Py_NewRef(PyList_GET_ITEM(closers, PyList_GET_SIZE(closers) - 1));
        if (PyMethod_Check(close))
            match = PyObject_GetAttr(PyMethod_GET_SELF(close), state->text_resolver_match);
        Py_DECREF(close);
    }
    Py_XDECREF(closers);
    if (match == NULL)
        return NULL;
    PyObject *route = match == Py_None ? Py_NewRef(match) : PyObject_GetAttr(match, state->text_route);
    PyObject *status = route == NULL ? NULL : PyObject_GetAttr(response, state->text_status_code);
    PyObject *series = status == NULL ? NULL : find_series(&state->django, SLOT(method, state->routes), route, status);
    Py_XDECREF(status);
    Py_XDECREF(route);
    Py_DECREF(match);
    return series;
}

static int
end_django(const State *state, const Request *request, PyObject *body)
{
    const Way *way = &state->django;
    PyObject *kind = (PyObject *)Py_TYPE(body);
    if (PyDict_GetItemWithError(request->environ, way->key) != request->method
        || (kind != SLOT(request->method, state->kind) && PySet_Contains(way->whole, kind) != 1))
        return 0;
    PyObject *series = find_django_series(state, request->method, body);
    int ended = series != NULL && count(way, request, series);
    Py_XDECREF(series);
    return ended;
}

static PyObject *
answer_django(const State *state, PyObject *self, const Request *request, PyObject *start_response)
{
    PyObject *body = ask(request->app, request->environ, start_response);
    if (body == NULL) {
        PyObject *error = take_raised();
        return raise_again(error, PyObject_CallFunctionObjArgs(state->fail_django, request->method, request->environ,
                                                               request->began, error, NULL));
    }
    if (end_django(state, request, body))
        return body;
    PyObject *taken = !forgiven() ? NULL
                                  : PyObject_CallFunctionObjArgs(state->take_django, self, request->method, request->environ,
                                                                 request->began, body, NULL);
    Py_DECREF(body);
    return taken;
}

static PyObject *
call_django(PyObject *self, PyObject *args, PyObject *names)
{
    const State *state = state_of(self);
    if (state == NULL)
        return PyObject_Call(self, args, names);
    Request request = {NULL, NULL, NULL, NULL};
    PyObject *body = NULL;
    if (arrive(state, &state->django, self, args, names, &request) && begin(&state->django, &request, request.method))
        body = answer_django(state, self, &request, PyTuple_GET_ITEM(args, 1));
    else if (forgiven())
        body = interpret(&state->django, self, args, names);
    release(&request);
    return body;
}

/* -- any other application -- */

/* Return a new exchange, as WSGIMiddleware makes it; NULL with an exception. */
static PyObject *
make_exchange(const State *state, const Request *request, PyObject *server_start)
{
    PyObject *exchange = state->exchange->tp_alloc(state->exchange, 0);
    if (exchange == NULL)
        return NULL;
    SLOT(exchange, state->server_start) = Py_NewRef(server_start);
    SLOT(exchange, state->method) = Py_NewRef(request->method);
    SLOT(exchange, state->where) = Py_NewRef(request->environ);
    SLOT(exchange, state->started) = Py_NewRef(request->began);
    SLOT(exchange, state->told) = Py_NewRef(Py_None);
    SLOT(exchange, state->series) = Py_NewRef(Py_None);
    SLOT(exchange, state->ended_as) = Py_NewRef(Py_None);
    SLOT(exchange, state->finished) = Py_NewRef(Py_False);
    return exchange;
}

/* Return what tells the route of a request, a new reference: a name that was told, else Flask's rule, else None. */
static PyObject *
find_key(const State *state, PyObject *told, PyObject *environ)
{
    if (told == NULL || told != Py_None)
        return Py_XNewRef(told);
    PyObject *request = get(environ, state->request);
    if (request == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    PyObject *rule = PyObject_GetAttr(request, state->text_url_rule), *key = rule;
    if (rule != NULL && rule != Py_None) {
        key = PyObject_GetAttr(rule, state->text_rule);
        Py_DECREF(rule);
    }
    Py_DECREF(request);
    return key;
}

/* Note the series of a response that starts; 0 where it is not ordinary. */
static int
note_start(const State *state, PyObject *exchange, PyObject *status)
{
    PyObject *method = SLOT(exchange, state->method);
    if (method == NULL || !Py_IS_TYPE(method, state->plain.known.method) || SLOT(method, state->traced) != Py_False)
        return 0;
    Py_INCREF(method);
    PyObject *key = find_key(state, SLOT(exchange, state->told), SLOT(exchange, state->where));
    PyObject *series = find_series(&state->plain, SLOT(method, state->by_route), key, status);
    Py_XDECREF(key);
    Py_DECREF(method);
    if (series == NULL)
        return 0;
    SET_SLOT(exchange, state->series, series);
    return 1;
}

PyDoc_STRVAR(start_doc, "Note what the response says of itself and pass it on: as WSGIExchange does, but compiled.");

static PyObject *
exchange_start(PyObject *self, PyTypeObject *defining, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    const State *state = PyType_GetModuleState(defining);
    PyObject *start;
    if (count == 2 && names == NULL && note_start(state, self, args[0]) && (start = SLOT(self, state->server_start)) != NULL)
        Py_INCREF(start);
    else
        start = forgiven() ? PyMethod_New(state->start, self) : NULL;
    if (start == NULL)
        return NULL;
    PyObject *write = PyObject_Vectorcall(start, args, (size_t)count, names);
    Py_DECREF(start);
    return write;
}

/* Return whether a body of werkzeug's was there before its response began, as flask.is_whole() has it: it is closed with the
   generator that encodes its parts, and with the response, whose parts are a list. */
static int
is_encoded_whole(const State *state, PyObject *body)
{
    PyObject *callbacks = PyObject_GetAttr(body, state->text__callbacks), *code = NULL, *parts = NULL;
    if (callbacks != NULL && PyList_CheckExact(callbacks) && PyList_GET_SIZE(callbacks) == 2) {
        PyObject *encoder = PyList_GET_ITEM(callbacks, 0), *close = Py_NewRef(PyList_GET_ITEM(callbacks, 1));
        if (PyCFunction_Check(encoder) && PyCFunction_GET_SELF(encoder) != NULL && PyGen_CheckExact(PyCFunction_GET_SELF(encoder)))
            code = PyObject_GetAttr(PyCFunction_GET_SELF(encoder), state->text_gi_code);
        if (code != NULL && PyCode_Check(code) && IS_TEXT(((PyCodeObject *)code)->co_name, "_iter_encoded") && PyMethod_Check(close))
            parts = PyObject_GetAttr(PyMethod_GET_SELF(close), state->text_response);
        Py_DECREF(close);
    }
    int whole = parts != NULL && PyList_CheckExact(parts);
    Py_XDECREF(parts);
    Py_XDECREF(code);
    Py_XDECREF(callbacks);
    return whole;
}

/* Return whether a body is there as a whole; -1 or 0 with an exception where that cannot be said. */
static int
is_whole(const State *state, PyObject *middleware, PyObject *body)
{
    PyObject *kind = (PyObject *)Py_TYPE(body);
    int whole = PySet_Contains(state->plain.whole, kind);
    if (whole != 0)
        return whole;
    PyObject *werkzeug = PyObject_GetAttr(middleware, state->text__werkzeug);
    whole = werkzeug == kind && is_encoded_whole(state, body);
    Py_XDECREF(werkzeug);
    return whole;
}

static int
end_plain(const State *state, PyObject *middleware, const Request *request, PyObject *exchange, PyObject *body)
{
    if (is_whole(state, middleware, body) != 1)
        return 0;
    PyObject *series = SLOT(exchange, state->series);
    if (series == NULL || !Py_IS_TYPE(series, state->plain.known.series))
        return 0;
    Py_INCREF(series);
    int ended = count(&state->plain, request, series);
    if (ended)
        SET_SLOT(exchange, state->finished, Py_NewRef(Py_True));
    Py_DECREF(series);
    return ended;
}

static PyObject *
answer_plain(const State *state, PyObject *self, const Request *request, PyObject *exchange, PyObject *start)
{
    PyObject *body = ask(request->app, request->environ, start);
    if (body == NULL) {
        PyObject *error = take_raised();
        return raise_again(error, PyObject_CallMethodOneArg(exchange, state->text_fail, error));
    }
    if (end_plain(state, self, request, exchange, body))
        return body;
    PyObject *taken = forgiven() ? PyObject_CallMethodOneArg(exchange, state->text_take, body) : NULL;
    Py_DECREF(body);
    return taken;
}

static PyObject *
call_plain(PyObject *self, PyObject *args, PyObject *names)
{
    const State *state = state_of(self);
    if (state == NULL)
        return PyObject_Call(self, args, names);
    Request request = {NULL, NULL, NULL, NULL};
    PyObject *exchange = NULL, *start = NULL, *body = NULL;
    if (arrive(state, &state->plain, self, args, names, &request))
        exchange = make_exchange(state, &request, PyTuple_GET_ITEM(args, 1));
    if (exchange != NULL)
        start = PyObject_GetAttr(exchange, state->text_start_response);
    if (start != NULL && begin(&state->plain, &request, exchange))
        body = answer_plain(state, self, &request, exchange, start);
    else if (forgiven())
        body = interpret(&state->plain, self, args, names);
    Py_XDECREF(start);
    Py_XDECREF(exchange);
    release(&request);
    return body;
}

/* -- the module -- */

static PyMethodDef exchange_methods[] = {
    {"start_response", (PyCFunction)(void (*)(void))exchange_start, METH_METHOD | METH_FASTCALL | METH_KEYWORDS, start_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(exchange_doc, "A WSGIExchange whose `start_response` is compiled.");
PyDoc_STRVAR(plain_class_doc, "A WSGIMiddleware whose `__call__` is compiled.");
PyDoc_STRVAR(django_class_doc, "A DjangoMiddleware whose `__call__` is compiled.");

static PyType_Slot exchange_slots[] = {{Py_tp_doc, (void *)exchange_doc}, {Py_tp_methods, exchange_methods}, {0, NULL}};
static PyType_Slot plain_slots[] = {{Py_tp_doc, (void *)plain_class_doc}, {Py_tp_call, (void *)call_plain}, {0, NULL}};
static PyType_Slot django_slots[] = {{Py_tp_doc, (void *)django_class_doc}, {Py_tp_call, (void *)call_django}, {0, NULL}};

/* An object of each has the size of one of its base, whose class it may take. */
#define SPEC(class, class_slots)                                                                                               \
    {.name = "runtime_exporter.http.compiled._wsgi." class, .flags = Py_TPFLAGS_DEFAULT, .slots = class_slots}

static PyType_Spec exchange_spec = SPEC("CompiledExchange", exchange_slots);
static PyType_Spec plain_spec = SPEC("CompiledMiddleware", plain_slots);
static PyType_Spec django_spec = SPEC("CompiledDjangoMiddleware", django_slots);

static PyTypeObject *
derive(PyObject *module, PyType_Spec *spec, PyObject *base)
{
    PyObject *bases = PyTuple_Pack(1, base);
    PyObject *class = bases == NULL ? NULL : PyType_FromModuleAndSpec(module, spec, bases);
    Py_XDECREF(bases);
    return (PyTypeObject *)class;
}

/* Learn what either class needs, once; 0 with an exception where something is not as it is known here. */
static int
learn_way(Way *way, PyObject *base, PyObject *common)
{
    PyObject *method, *series, *histogram, *key, *whole;
    if (way->interpreted != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this class was made before");
        return 0;
    }
    if (!PyArg_ParseTuple(common, "OOOUO!", &method, &series, &histogram, &key, &PySet_Type, &whole)
        || !learn_classes(&way->known, method, series, histogram))
        return 0;
    Py_XSETREF(way->key, Py_NewRef(key));
    Py_XSETREF(way->whole, Py_NewRef(whole));
    way->interpreted = PyObject_GetAttrString(base, "__call__");
    return way->interpreted != NULL;
}

PyDoc_STRVAR(plain_doc, "plain(base, common, exchange)\n--\n\n"
                        "Return the class that answers as `base`, a WSGIMiddleware, with exchanges as `exchange`, a WSGIExchange.\n\n"
                        "`common` are Method, Series, Histogram, the key of a mark in an environ, and the set of types of whole bodies. "
                        "Raises TypeError or AttributeError where one of them is not as it is known here.");

static PyObject *
plain(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *base, *common, *exchange;
    if (!PyArg_ParseTuple(args, "O!O!O!:plain", &PyType_Type, &base, &PyTuple_Type, &common, &PyType_Type, &exchange)
        || !learn_way(&state->plain, base, common))
        return NULL;
    PyTypeObject *class = (PyTypeObject *)exchange, *method = state->plain.known.method;
    if (!learn_slot(&state->by_route, method, "known") || !learn_slot(&state->traced, method, "traced")
        || !learn_slot(&state->server_start, class, "server_start") || !learn_slot(&state->method, class, "method")
        || !learn_slot(&state->where, class, "where") || !learn_slot(&state->told, class, "told")
        || !learn_slot(&state->series, class, "series") || !learn_slot(&state->ended_as, class, "ended_as")
        || !learn_slot(&state->finished, class, "finished") || !learn_slot(&state->started, class, "started"))
        return NULL;
    state->start = PyObject_GetAttrString(exchange, "start_response");
    state->exchange = state->start == NULL ? NULL : derive(module, &exchange_spec, exchange);
    return state->exchange == NULL ? NULL : (PyObject *)derive(module, &plain_spec, base);
}

PyDoc_STRVAR(django_doc, "django(base, common, take, fail)\n--\n\n"
                         "Return the class that answers as `base`, a DjangoMiddleware: see `plain`.\n\n"
                         "`take(middleware, method, environ, started, body)` returns what the server gets for a body that is not "
                         "ordinary, `fail(method, environ, started, error)` counts a request that failed.");

static PyObject *
django(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *base, *common, *take, *fail;
    if (!PyArg_ParseTuple(args, "O!O!OO:django", &PyType_Type, &base, &PyTuple_Type, &common, &take, &fail)
        || !learn_way(&state->django, base, common) || !learn_slot(&state->routes, state->django.known.method, "routes")
        || !learn_slot(&state->kind, state->django.known.method, "kind"))
        return NULL;
    state->take_django = Py_NewRef(take);
    state->fail_django = Py_NewRef(fail);
    return (PyObject *)derive(module, &django_spec, base);
}

static PyMethodDef module_methods[] = {
    {"plain", plain, METH_VARARGS, plain_doc},
    {"django", django, METH_VARARGS, django_doc},
    {NULL, NULL, 0, NULL},
};

static int
module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
#define INTERN(name) && (state->text_##name = PyUnicode_InternFromString(#name)) != NULL
    return (state->request = PyUnicode_InternFromString("werkzeug.request")) != NULL NAMES(INTERN) ? 0 : -1;
}

static int
visit_way(const Way *way, visitproc visit, void *arg)
{
    Py_VISIT(way->interpreted);
    Py_VISIT(way->whole);
    return visit_classes(&way->known, visit, arg);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    const State *state = PyModule_GetState(module);
    Py_VISIT(state->exchange);
    Py_VISIT(state->start);
    Py_VISIT(state->take_django);
    Py_VISIT(state->fail_django);
    int stopped = visit_way(&state->plain, visit, arg);
    return stopped != 0 ? stopped : visit_way(&state->django, visit, arg);
}

static void
clear_way(Way *way)
{
    Py_CLEAR(way->interpreted);
    Py_CLEAR(way->key);
    Py_CLEAR(way->whole);
    clear_classes(&way->known);
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->exchange);
    Py_CLEAR(state->start);
    Py_CLEAR(state->take_django);
    Py_CLEAR(state->fail_django);
    Py_CLEAR(state->request);
#define FORGET(name) Py_CLEAR(state->text_##name);
    NAMES(FORGET)
    clear_way(&state->plain);
    clear_way(&state->django);
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "runtime_exporter.http.compiled._wsgi",
    .m_doc = "Ordinary requests by WSGI, compiled: see runtime_exporter.http.wsgi and wsgi_django.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__wsgi(void)
{
    return PyModuleDef_Init(&module_definition);
}
